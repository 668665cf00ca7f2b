using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Leases;
using NLDS.BackupAgent.Repository.Tests.Log;

namespace NLDS.BackupAgent.Repository.Tests.Simulation;

/// <summary>A backup on its way: begun, and neither sealed nor given up.</summary>
internal sealed class OpenBackup(SimulatedAgent owner, BackupSession session, ulong start)
{
    public SimulatedAgent Owner => owner;

    public BackupSession Session => session;

    /// <summary>It needs the log from here on.</summary>
    public ulong Start => start;

    public int Objects { get; set; }

    /// <summary>Its own process removes what it has put.</summary>
    public bool IsEnding { get; set; }

    /// <summary>Nothing of it had moved for so long that somebody swept it: it must not seal.</summary>
    public bool WasOld { get; set; }
}

/// <summary>One life of an agent: its process, its clock, its way to the store, and all that the repository gives it. The source is the simplest there can be.</summary>
internal sealed class SimulatedAgent : IRetainedSource, IAsyncDisposable
{
    private readonly Truth truth;
    private readonly WatchedStore watched;
    private readonly WriterLeases leases;
    private LeaseHold? hold;
    private LogWriter? writer;
    private ulong writerStart;
    private ulong lastDurable;

    public SimulatedAgent(string name, Machine machine, int process, SimulatedClock clock, WatchedStore watched, Truth truth, RepositoryOptions options, RetentionOptions retention, int seed)
    {
        (Name, Machine, Clock, this.watched, this.truth, Retention) = (name, machine, clock, watched, truth, retention);
        Process = new ProcessIdentity($"boot of {machine.Name}", "pid:[1]", process, 1);
        machine.Running.Add(Process);
        Store = new AgentStore(watched, this, seed);
        Repository = new BackupRepository(Store, options, clock);
        leases = new WriterLeases(Repository, new AgentIdentity(name, machine.Name, Process), LeaseTiming.Default, machine.IsAlive, NullLogger<WriterLeases>.Instance);
        Log = Repository.OpenLog("source/log", Truth.Naming, Lease);
        Pruner = new Pruner(Repository, retention, NullLogger<Pruner>.Instance, leases);
    }

    public string Name { get; }

    public Machine Machine { get; }

    public ProcessIdentity Process { get; }

    public SimulatedClock Clock { get; }

    public AgentStore Store { get; }

    public BackupRepository Repository { get; }

    public LogArchive Log { get; }

    public Pruner Pruner { get; }

    public RetentionOptions Retention { get; }

    public WriterLease Lease => leases.For("source");

    public bool HasLease => hold is { IsLost: false } && watched.Holder == Name;

    /// <summary>It has the lease and has renewed it, or knows that it has none.</summary>
    public bool KnowsWhereItStands => Store.IsDead || hold is null or { IsLost: true } || (watched.Holder == Name && Lease.RequireTimelyAsync(CancellationToken.None).IsCompletedSuccessfully);

    public bool IsTailing => writer is not null;

    public ulong DurablePosition => writer?.DurablePosition ?? 0;

    public SnapshotLayout Layout => WatchedStore.Layout;

    RetentionRules IRetainedSource.Retention => new();

    public RetentionPolicy DefaultRetention { get; } = new() { KeepDaily = 3, KeepWeekly = 2, KeepMonthly = 1, RecoveryWindow = TimeSpan.FromDays(2) };

    /// <returns>Whether the lease is this agent's now.</returns>
    public async Task<bool> TryTakeLeaseAsync()
    {
        if (hold is { IsLost: true })
        {
            await EndTailAsync();
            await hold.DisposeAsync();
            hold = null;
        }

        hold ??= (await Lease.TryHoldAsync(CancellationToken.None)).Hold;
        return HasLease;
    }

    /// <summary>What a tail does when it begins: reads what is there, records the hole if the server has less, and begins at the start of a segment.</summary>
    public async Task BeginTailAsync()
    {
        await Repository.PrepareAsync(CancellationToken.None);
        await Log.PrepareAsync(CancellationToken.None);
        var inventory = await Log.ReadInventoryAsync(CancellationToken.None);
        var frontier = FindFrontier(inventory);
        if (frontier < truth.ServerHas)
        {
            await Log.RecordGapAsync(new LogGap(Truth.Lineage, frontier, truth.ServerHas, "The server does not have it any more.", Clock.GetUtcNow()), CancellationToken.None);
        }

        writerStart = lastDurable = Truth.Naming.SegmentAt(Math.Max(frontier, truth.ServerHas)).Start;
        if (writerStart > truth.Written)
        {
            return;
        }

        LogWriter? begun = null;
        begun = new LogWriter(
            Log, new LogWriterOptions { FlushBytes = 1_500 }, Truth.Lineage, writerStart, inventory.Pieces.Where(p => p.Range.End > writerStart),
            new FakeObserver(Truth.Lineage, writerStart), () => Advanced(begun), Clock, NullLogger.Instance);
        writer = begun;
        Advanced(begun);
    }

    /// <summary>Receives what the server has written, as far as asked, and waits until it is durable.</summary>
    public async Task TailAsync(int bytes, bool flushes)
    {
        var from = writer!.ReceivedPosition;

        // What the archive held before is durable again when all of it has come again, and the server has all of it.
        var to = flushes ? Math.Max(from, truth.Written) : Math.Min(truth.Written, from + (ulong)bytes);
        if (to > from)
        {
            await writer.AppendAsync(truth.Content(from, to), CancellationToken.None);
        }

        if (flushes)
        {
            writer.Confirm(to, Clock.GetUtcNow());
            await UntilDurableAsync(to);
        }
    }

    /// <summary>Ends the tail, in order or not.</summary>
    public async Task EndTailAsync(bool inOrder = false)
    {
        if (writer is { } ending)
        {
            writer = null;
            try
            {
                await (inOrder ? ending.CompleteAsync() : Task.CompletedTask);
                Advanced(ending);
            }
            finally
            {
                await ending.DisposeAsync();
            }
        }
    }

    public async Task ReleaseAsync()
    {
        await EndTailAsync(inOrder: true);
        if (hold is { } held)
        {
            hold = null;
            await held.DisposeAsync();
        }
    }

    public async Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var inventory = await Log.ReadInventoryAsync(cancellationToken);
        var first = kept.LastOrDefault(b => b.Manifest.Ended <= since);
        return new LogNeeds
        {
            Archive = Log,
            Inventory = inventory,
            WholeFrom = first is null ? new Dictionary<string, ulong>() : new Dictionary<string, ulong> { [Truth.Lineage] = Truth.Naming.SegmentAt(StartOf(first)).Start },
            Islands = [.. kept.Select(b => new LogSection(Truth.Lineage, Truth.Naming.SegmentAt(StartOf(b)).Start, Truth.Naming.SegmentAt(EndOf(b) - 1).End))],
            RestorableFrom = first?.Manifest.Ended,
        };
    }

    public async ValueTask DisposeAsync()
    {
        await EndTailAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await leases.DisposeAsync();
    }

    public static ulong StartOf(SealedBackup backup) => backup.Manifest.Details.GetProperty("start").GetUInt64();

    public static ulong EndOf(SealedBackup backup) => backup.Manifest.Details.GetProperty("end").GetUInt64();

    string IBackupSource.Name => "source";

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<CheckFinding>();

    public Task<SourceListing> ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>The end of the first run; recorded gaps and what retention removed are stepped over.</summary>
    private static ulong FindFrontier(LogInventory inventory)
    {
        var position = inventory.Pieces.Select(p => p.Range.Start).Concat(inventory.Gaps.Select(g => g.Start)).DefaultIfEmpty().Min();
        while (true)
        {
            var end = inventory.Cover(Truth.Lineage, position).End;
            var gap = inventory.Gaps.FirstOrDefault(g => g.Start <= end && end < g.End);
            if ((gap?.End ?? inventory.Pruned.EndBehind(Truth.Lineage, end)) is not { } next)
            {
                return end;
            }

            position = next;
        }
    }

    private async Task UntilDurableAsync(ulong position)
    {
        while (writer!.DurablePosition < position)
        {
            writer.RequestFlush();
            if (writer.Completion.IsCompleted)
            {
                await writer.Completion;
                throw new InvalidOperationException("The writer ended.");
            }

            await Task.WhenAny(writer.Completion, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        Advanced(writer);
    }

    private void Advanced(LogWriter? of)
    {
        if (of is not null)
        {
            lock (Log)
            {
                var (durable, received) = (of.DurablePosition, of.ReceivedPosition);
                watched.Acknowledge(writerStart, durable, received, lastDurable);
                lastDurable = durable;
            }
        }
    }
}
