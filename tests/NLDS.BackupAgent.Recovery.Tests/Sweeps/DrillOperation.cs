using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Tests.Drills;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Recovery.Tests.Sweeps;

/// <summary>A whole drill of a Redis: chosen, restored, started, proved, reported and cleared away.</summary>
/// <param name="repository">What is drilled.</param>
/// <param name="mayLookDamaged">A listing that hides what another one has shown is what a loss looks like, and is reported as one.</param>
internal sealed class DrillOperation(IObjectStore repository, bool mayLookDamaged) : SweptOperation, IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public override Task<MemoryObjectStore> PrepareAsync() => repository.CopyAsync();

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var bench = new DrillBench(store, directory.Path, 1, ("Drill:LoadTest:Enabled", "false"));
        var choice = new DrillChoice(DrilledBackup.Newest, DrilledMoment.Latest);
        var (report, _) = await bench.Runner.RunAsync([bench.Redis], choice, new Progress<TransferProgress>(), cancellationToken);
        report.Sources.ShouldAllBe(source => mayLookDamaged || !source.IsDamage, "a store that failed was reported as damage");
        if (report.Verdict != DrillVerdict.Passed)
        {
            throw new SourceException(string.Join(' ', report.Findings), isPermanent: false);
        }
    }

    public override async Task RequireUnbrokenAsync(IObjectStore store)
    {
        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty("the drill left something");
        foreach (var report in await Reports(store).ReadAsync(CancellationToken.None))
        {
            var page = new ObjectKey($"{DrillReports.Folder}/{report.Id}/report.html");
            (await store.HeadAsync(page, CancellationToken.None)).ShouldNotBeNull("the document is there, and its page is not");
        }
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await RequireUnbrokenAsync(store);
        (await Reports(store).ReadAsync(CancellationToken.None)).ShouldContain(report => report.Verdict == DrillVerdict.Passed);
    }

    public void Dispose() => directory.Dispose();

    private static DrillReports Reports(IObjectStore store) => new(new BackupRepository(store, new RepositoryOptions(), TimeProvider.System));
}
