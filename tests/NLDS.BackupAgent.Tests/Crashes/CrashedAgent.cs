using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Crashes;
using NLDS.BackupAgent.Tests.Commands;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>The program as a process that is killed, and its verbs within this process, which spares the look at what was left the start of another.</summary>
internal sealed class CrashedAgent
{
    private static readonly string ProgramPath = Path.Combine(AppContext.BaseDirectory, "NLDS.BackupAgent");

    private readonly string directory;
    private readonly WholeProgram within;

    /// <param name="directory">Where it is started, and where its temporary files go.</param>
    /// <param name="settings">Its configuration, as environment variables.</param>
    public CrashedAgent(string directory, IReadOnlyDictionary<string, string> settings)
    {
        (this.directory, within) = (directory, new WholeProgram(directory));
        foreach (var (name, value) in settings)
        {
            within.Environment[name] = value;
        }
    }

    /// <summary>Runs a verb that dies before its k-th call that changes a file.</summary>
    /// <remarks>The parameters are those of <see cref="CrashedProgram.RunAsync"/>.</remarks>
    public Task<ProgramEnd> CrashAsync(int killAt, IEnumerable<string> words, Func<CancellationToken, Task>? whileRunning, Func<Task> whenEnded, Action<Func<string, bool>> alsoCounts)
    {
        var start = new ProcessStartInfo(ProgramPath, words) { WorkingDirectory = directory };
        foreach (var (name, value) in within.Environment)
        {
            start.Environment[name] = value;
        }

        // The runtime's own files are not the program's: the diagnostics port, and memory that is mapped twice.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        start.Environment["TMPDIR"] = directory;
        return CrashedProgram.RunAsync(killAt, start, whileRunning, whenEnded, alsoCounts);
    }

    /// <summary>Runs a verb that must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> RunAsync(params string[] words)
    {
        (await within.RunAsync(words)).ShouldBe(ExitCode.Done, $"'{string.Join(' ', words)}': {within.Error}{within.Output}");
        return within.Output;
    }

    /// <summary>The ids of a source's backups, the oldest first.</summary>
    public async Task<IReadOnlyList<string>> BackupsAsync(string source) =>
        [.. JsonNode.Parse(await RunAsync("list", source, "--json"))!["sources"]![0]!["backups"]!.AsArray()
            .Select(backup => backup!["id"]!.GetValue<string>()).Order(StringComparer.Ordinal)];

    /// <summary>Takes two backups, and waits for the second that the newer is named after: of one second they have two ids, and what is dated in the future no prune judges.</summary>
    /// <returns>The newer one's id.</returns>
    public async Task<string> TakeTwoAsync(string source)
    {
        await RunAsync("backup", source);
        await RunAsync("backup", source);
        await RunAsync("verify");
        var newest = (await BackupsAsync(source))[^1];
        await Eventually.TrueAsync(() => string.CompareOrdinal(TimeProvider.System.GetUtcNow().ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture), newest) > 0, $"{newest} is over");
        return newest;
    }
}
