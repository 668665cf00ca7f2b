using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>The programs of a PostgreSQL server on this machine.</summary>
/// <param name="Directory">Where <c>postgres</c> lies.</param>
/// <param name="Version">As it says itself: <c>15.18</c>.</param>
internal sealed partial record ServerPrograms(string Directory, string Version)
{
    /// <summary>Debian's and Red Hat's places, then wherever the path leads.</summary>
    public static async Task<ServerPrograms> FindAsync(int major, string? configured, CancellationToken cancellationToken)
    {
        IEnumerable<string> places = configured is not null ? [configured] :
        [
            $"/usr/lib/postgresql/{major}/bin", $"/usr/pgsql-{major}/bin", "/usr/local/pgsql/bin",
            .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries),
        ];
        var others = new List<string>();
        foreach (var place in places.Where(place => File.Exists(Path.Combine(place, "postgres"))).Distinct())
        {
            if (await VersionAsync(Path.Combine(place, "postgres"), cancellationToken) is { } version)
            {
                if (version.Split('.')[0] == $"{major}")
                {
                    return new ServerPrograms(place, version);
                }

                others.Add($"{version} in {place}");
            }
        }

        throw new SourceException(
            $"There is no PostgreSQL {major} on this machine, which the restored directory needs{(others.Count > 0 ? $" (there is {string.Join(", ", others)})" : "")}. "
            + $"Install it (postgresql-{major}), or set Postgres:Programs to the directory of its programs.",
            isPermanent: true);
    }

    public override string ToString() => $"PostgreSQL {Version} in {Directory}";

    public string Of(string program) => Path.Combine(Directory, program);

    private static async Task<string?> VersionAsync(string program, CancellationToken cancellationToken)
    {
        try
        {
            var start = new ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true };
            ChildEnvironment.Clear(start);
            using var process = Process.Start(start)!;
            var said = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return VersionLine().Match(said) is { Success: true } match ? match.Groups[1].Value : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+\S*)")]
    private static partial Regex VersionLine();
}
