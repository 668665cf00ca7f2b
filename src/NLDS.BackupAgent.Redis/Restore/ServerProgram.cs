using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>A redis-server on this machine, and what it reads and writes.</summary>
internal sealed partial record ServerProgram(string Path, Version Version)
{
    public const string DefaultName = "redis-server";

    /// <summary>The newest RDB format that it reads, which is the one that it writes.</summary>
    public int RdbVersion => RdbVersions.WrittenBy(Version);

    /// <summary>The one that was named, or else the one of the PATH, if there is one.</summary>
    /// <exception cref="UsageException">The one that was named does not run.</exception>
    public static async Task<ServerProgram?> FindAsync(string? named, CancellationToken cancellationToken)
    {
        try
        {
            var start = new ProcessStartInfo(named ?? DefaultName, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true };
            ChildEnvironment.Clear(start);
            using var process = Process.Start(start)!;
            var said = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            if (VersionLine().Match(said) is { Success: true } match)
            {
                return new ServerProgram(named ?? DefaultName, Version.Parse(match.Groups[1].Value));
            }

            return named is null ? null : throw new UsageException($"'{named}' is no redis-server: it does not tell its version.");
        }
        catch (Win32Exception missing)
        {
            return named is null ? null : throw new UsageException($"'{named}' cannot be run: {missing.Message}. Name a redis-server, or leave --{RestoreOptionNames.RedisServer} out.");
        }
    }

    [GeneratedRegex(@"\bv=(\d+\.\d+\.\d+)")]
    private static partial Regex VersionLine();
}
