using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Crashes;
using NLDS.BackupAgent.Testing.Sweeps;
using Microsoft.Extensions.Logging.Abstractions;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>
/// A verb that is killed before each call by which it would change a file, in a store that is a directory. Behind the kill what is sealed must be whole and verify clean, the
/// same verb must succeed, and its outcome be what was promised.
/// </summary>
internal abstract class CrashedVerb : IDisposable
{
    /// <summary>Up to so many calls each is a place to die; of more, all of the first and the last and some between, which are the same for file after file.</summary>
    private const int MostPlaces = 400;

    private const int EachAtAnEnd = 150;

    private static readonly bool IsLong = Environment.GetEnvironmentVariable("NLDS_LONG") == "1";

    /// <param name="settings">Of the source and of the verb, as environment variables; the store, and what a drill needs, are known here.</param>
    protected CrashedVerb(params IEnumerable<(string Name, string Value)> settings)
    {
        Directory.CreateDirectory(Drills);

        // A drill's servers run as others, who must get through.
        File.SetUnixFileMode(Work.Path, (UnixFileMode)0b111_001_001);
        var all = new Dictionary<string, string>
        {
            ["Storage__Provider"] = "Directory",
            ["Storage__Directory__Path"] = Store,
            ["Drill__Directory"] = Drills,
            ["Drill__LoadTest__Enabled"] = "false",
            ["Drill__RecoveryPoint"] = "1.00:00:00",
        };
        foreach (var (name, value) in settings)
        {
            all[name] = value;
        }

        Agent = new CrashedAgent(Work.Path, all);
    }

    protected TemporaryDirectory Work { get; } = new();

    protected string Store => Work["store"];

    protected string Target => Work["target"];

    private string Drills => Work["drills"];

    /// <summary>The verb and what stands behind it.</summary>
    protected abstract IReadOnlyList<string> Words { get; }

    protected CrashedAgent Agent { get; }

    /// <summary>What is done with one that runs until it is told to stop; null for a verb that ends.</summary>
    protected virtual Func<CancellationToken, Task>? WhileRunning => null;

    /// <param name="places">Where it is killed unless it is everywhere, which spares the run that counts; none for two places.</param>
    /// <returns>How many times it was killed.</returns>
    public async Task<int> SweepAsync(params IReadOnlyList<int> places)
    {
        int? calls = places.Count == 0 || IsLong ? await CountAsync() : null;
        var kills = 0;
        foreach (var place in calls is { } counted ? Places(counted) : places)
        {
            kills += await TryAsync(place, calls) ? 1 : 0;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"'{string.Join(' ', Words)}' was killed before {kills} of {(calls is { } all ? $"its {all}" : "the")} calls that change something.");
        return kills;
    }

    public void Dispose() => Work.Dispose();

    /// <summary>What there is before it: an empty store, and nothing restored, unless a verb has more.</summary>
    protected virtual Task PrepareAsync()
    {
        Clear();
        return Task.CompletedTask;
    }

    /// <summary>A store as it was when it was put aside under that name, made at the first call.</summary>
    protected async Task PrepareFromAsync(string name, Func<Task> make)
    {
        Clear();
        if (!Directory.Exists(Work[name]))
        {
            await make();
            await CopyAsync(Store, Work[name]);
            Clear();
        }

        await CopyAsync(Work[name], Store);
    }

    /// <summary>A store with one backup of a source.</summary>
    protected Task PrepareBackupAsync(string source) => PrepareFromAsync("backed-up", () => Agent.RunAsync("backup", source));

    /// <summary>It has its report, and nothing of it or of the one that was killed is left.</summary>
    protected void RequireDrilled()
    {
        Directory.GetFiles(Path.Combine(Store, "reports/dr-drill"), "report.json", SearchOption.AllDirectories).ShouldNotBeEmpty();
        Directory.GetFileSystemEntries(Drills).ShouldBeEmpty();
    }

    protected static Task CopyAsync(string from, string to) => ServerProcess.RunAsync("cp", ["--archive", from, to], CancellationToken.None);

    protected static void Remove(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Before the program starts, and with what lets all pass behind its end: has whoever sees what it changes elsewhere than in files ask first.</summary>
    protected virtual void AlsoCount(Func<string, bool> mayPass)
    {
    }

    /// <summary>Behind a kill, before the next attempt.</summary>
    protected virtual Task RequireUnbrokenAsync() => Task.CompletedTask;

    /// <summary>The same words once more.</summary>
    protected virtual Task RunAgainAsync() => Agent.RunAsync([.. Words]);

    protected abstract Task RequireDoneAsync();

    private void Clear()
    {
        Remove(Store);
        Remove(Target);
    }

    /// <summary>Waits until the servers that a killed agent had started have ended too.</summary>
    protected async Task<ProgramEnd> RunAsync(int killAt = int.MaxValue)
    {
        try
        {
            return await Agent.CrashAsync(killAt, Words, WhileRunning, () => LeftProcesses.EndedWithinAsync(Work.Path), AlsoCount);
        }
        finally
        {
            AlsoCount(_ => true);
        }
    }

    private async Task<int> CountAsync()
    {
        await PrepareAsync();
        var end = await RunAsync();
        end.Code.ShouldBe(ExitCode.Done, end.Output);
        await RequireDoneAsync();
        return end.Calls;
    }

    /// <returns>Whether it came to that call.</returns>
    private async Task<bool> TryAsync(int place, int? calls)
    {
        await PrepareAsync();
        var end = await RunAsync(place);
        try
        {
            if (end.KilledBefore is null)
            {
                end.Code.ShouldBe(ExitCode.Done, end.Output);
            }
            else
            {
                await RequireSoundAsync();
                await RequireUnbrokenAsync();
                await RunAgainAsync();
            }

            await RequireSoundAsync();
            await RequireDoneAsync();
            return end.KilledBefore is not null;
        }
        catch (Exception failure)
        {
            throw new SweepException($"'{string.Join(' ', Words)}', killed at call {place} of about {calls}, before {end.KilledBefore}: {failure.Message}", failure);
        }
    }

    private async Task RequireSoundAsync()
    {
        // Of a store without any backup verify says that it holds nothing, which is damage where there should be one.
        if (Directory.Exists(Store) && Directory.EnumerateFiles(Store, "*manifest.json", SearchOption.AllDirectories).Any())
        {
            var options = new StorageOptions { Provider = StorageProvider.Directory, ReadOnly = true };
            options.Directory.Path = Store;
            await RepositoryInvariants.RequireAsync(ObjectStores.Open(options, NullLoggerFactory.Instance, null, TimeProvider.System));
            await Agent.RunAsync("verify");
        }
    }

    private static IEnumerable<int> Places(int calls) => (IsLong, calls <= MostPlaces) switch
    {
        (false, _) => [1 + (calls / 4), 1 + (3 * calls / 4)],
        (true, true) => Enumerable.Range(1, calls),
        _ => Enumerable.Range(1, calls).Where(call => call <= EachAtAnEnd || call > calls - EachAtAnEnd || call % (calls / (MostPlaces - (2 * EachAtAnEnd))) == 0),
    };
}
