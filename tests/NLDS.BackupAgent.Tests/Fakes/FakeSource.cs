using System.Text.Json;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Tests.Fakes;

/// <summary>A source that does as the test says.</summary>
internal sealed class FakeSource(string name) : ISnapshotSource, IContinuousSource, IReachableSource, IWalFetcher
{
    public static readonly DateTimeOffset Day = new(2026, 7, 26, 2, 0, 0, TimeSpan.Zero);

    public string Name { get; } = name;

    public List<SealedBackup> Backups { get; } = [];

    public LogListing? Log { get; set; }

    public List<CheckFinding> Findings { get; } = [new("connection", CheckVerdict.Good, "as role nlds.")];

    public List<DamageFinding> Damage { get; } = [];

    public VerifyScope? Verified { get; private set; }

    public int Verifications { get; set; }

    public RestoreRequest? Requested { get; private set; }

    public bool Restored { get; private set; }

    public RestoreOutcome Outcome { get; set; } = RestoreOutcome.Whole;

    public ContinuousStatus Status
    {
        get => StatusBroken is null ? field : throw StatusBroken;
        set;
    } = new() { State = "connecting" };

    public Exception? StatusBroken { get; set; }

    public Func<CancellationToken, Task> Tail { get; set; } = async stopping =>
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public Func<CancellationToken, Task<SealedBackup>> Take { get; set; } = _ => Task.FromResult(Backup(Day));

    public Func<Task> Listing { get; set; } = () => Task.CompletedTask;

    public Func<CancellationToken, Task> Reach { get; set; } = _ => Task.CompletedTask;

    public Func<string, bool> Fetch { get; set; } = _ => true;

    /// <summary>The segments of the log that can be read ahead.</summary>
    public FakeWal Wal { get; } = new();

    /// <summary>Thrown by everything that reads, when set.</summary>
    public Exception? Broken { get; set; }

    public static SealedBackup Backup(DateTimeOffset began, long bytes = 3 << 20) => new(BackupId.At(began), new BackupManifest
    {
        Format = 1,
        Source = "postgres",
        Id = BackupId.At(began).ToString(),
        Began = began,
        Ended = began.AddMinutes(2),
        Agent = "test",
        Objects = [new BackupObject { Name = "base.tar", Key = "k", Codec = "zstd", ContentBytes = bytes, ContentSha256 = "", StoredBytes = bytes / 3, StoredSha256 = "" }],
        Details = JsonDocument.Parse("{}").RootElement,
    });

    public async IAsyncEnumerable<CheckFinding> CheckAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var finding in Findings)
        {
            await Task.Yield();
            yield return finding;
        }

        Throw();
    }

    public async Task<SourceListing> ListAsync(CancellationToken cancellationToken)
    {
        await Listing();
        Throw();
        return new SourceListing(Name, Backups, Log)
        {
            Kept = new Dictionary<string, IReadOnlyList<string>> { [BackupId.At(Day).ToString()] = ["newest", "daily"] },
        };
    }

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        Throw();
        Verified = scope;
        Verifications++;
        return Task.FromResult(new VerifyReport(Name, 3, 1024, 2048, Damage));
    }

    public async Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        progress.Report(new TransferProgress("base backup", 1, 2));
        var backup = await Take(cancellationToken);
        Backups.Add(backup);
        return backup;
    }

    public Task<RestorePlan> PlanRestoreAsync(RestoreRequest request, CancellationToken cancellationToken)
    {
        Throw();
        Requested = request;
        return Task.FromResult<RestorePlan>(new FakePlan
        {
            Source = Name,
            BackupId = "20260726_020000",
            Target = "2026-07-26T14:03:17Z",
            StoredBytes = 1 << 20,
            ContentBytes = 3 << 20,
            Estimate = TimeSpan.FromSeconds(125),
            Steps = ["write base.tar", "fetch 3 segments"],
            Warnings = ["the target is on another disk"],
        });
    }

    public Task<RestoreOutcome> RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        Restored = true;
        return Task.FromResult(Outcome);
    }

    public Task ReachAsync(CancellationToken cancellationToken) => Reach(cancellationToken);

    public Task TailAsync(CancellationToken stopping) => Tail(stopping);

    public Task<bool> FetchAsync(string file, string path, string serverPath, CancellationToken cancellationToken)
    {
        Throw();
        return Task.FromResult(Fetch(file));
    }

    public Task<IReadOnlyList<string>> FollowingAsync(string file, long bytes, CancellationToken cancellationToken) => Wal.FollowingAsync(file, bytes, cancellationToken);

    public Task<bool> FetchWholeAsync(string segment, string path, CancellationToken cancellationToken) => Wal.FetchWholeAsync(segment, path, cancellationToken);

    private void Throw()
    {
        if (Broken is not null)
        {
            throw Broken;
        }
    }

    private sealed record FakePlan : RestorePlan;
}
