using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>
/// The right to write one source's archive: one agent has it at a time. However many parts of this process hold it, the store knows one holder. Who holds it may
/// put log and remove things; before what cannot be undone it asks <see cref="RequireAsync"/>. May be used from any thread.
/// </summary>
public sealed partial class WriterLease : IAsyncDisposable
{
    private readonly LeaseFolder folder;
    private readonly LeaseContender contender;
    private readonly LeaseTiming timing;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly SemaphoreSlim turn = new(1, 1);
    private volatile HeldLease? held;

    internal WriterLease(
        IObjectStore store, string source, AgentIdentity agent, LeaseTiming timing, Func<ProcessIdentity, bool?> isAlive, TimeProvider clock, ILogger logger)
    {
        (this.timing, this.clock, this.logger) = (timing, clock, logger);
        folder = new LeaseFolder(store, source);
        contender = new LeaseContender(folder, agent, Guid.NewGuid(), timing, isAlive, clock);
    }

    /// <summary>This process holds it, as far as it knows.</summary>
    public bool IsHeld => held is { Lost: null };

    /// <summary>Somebody asks something of this process, which has the lease.</summary>
    internal bool IsAsked => IsHeld && folder.SawRequest;

    internal void ForgetRequest() => folder.ForgetRequest();

    /// <summary>The epoch that this process has; null when it has none.</summary>
    internal ulong? Epoch => held is { Lost: null } own ? own.Epoch : null;

    /// <summary>How often whoever waits for it should look.</summary>
    public TimeSpan LookEvery => timing.Look;

    /// <summary>Looks once whether the lease is to be had, and takes it. Called again and again it waits for a silent holder to lapse.</summary>
    /// <exception cref="ObjectStoreException">The store could not be asked.</exception>
    public async Task<LeaseAnswer> TryHoldAsync(CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            if (held is { Lost: null } already)
            {
                already.Holds++;
                return new LeaseAnswer(new LeaseHold(this, already), null);
            }

            var began = clock.GetTimestamp();
            var (taken, refusal) = await contender.TryTakeAsync(cancellationToken);
            if (taken is null)
            {
                return new LeaseAnswer(null, refusal);
            }

            LogTaken(folder.Source, taken.Epoch);
            if (!folder.IsGuarded)
            {
                LogUnguarded(folder.StoreDescription, folder.Source);
            }

            held = new HeldLease(folder, contender, taken, began, timing, clock, logger) { Holds = 1 };
            return new LeaseAnswer(new LeaseHold(this, held), null);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Takes the lease, or waits until it is known that its holder lives; at most for the lapse.</summary>
    /// <exception cref="SourceException">Another agent has it; the message says who and what to do.</exception>
    /// <exception cref="ObjectStoreException">The store could not be asked.</exception>
    public async Task<LeaseHold> HoldAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var answer = await TryHoldAsync(cancellationToken);
            if (answer.Hold is { } hold)
            {
                return hold;
            }

            if (answer.Refusal!.IsAlive)
            {
                throw new SourceException(answer.Refusal.Message, isPermanent: true);
            }

            await Task.Delay(timing.Look, clock, cancellationToken);
        }
    }

    /// <summary>
    /// Makes sure that this process still is the one that writes: by its own clock, and by a look into the store for a newer epoch (one listing of a few keys, at most
    /// once a second). To be asked before a backup is sealed, a whole segment is sealed, or anything is removed.
    /// </summary>
    /// <exception cref="SourceException">It is not, or it cannot be renewed.</exception>
    /// <exception cref="ObjectStoreException">The store could not be asked: whatever was to be done must not be done.</exception>
    public Task RequireAsync(CancellationToken cancellationToken) => Held().RequireNewestAsync(cancellationToken);

    /// <summary>The same by the own clock alone, for what is immutable and cheap to repeat.</summary>
    internal Task RequireTimelyAsync(CancellationToken cancellationToken) => Held().RequireTimelyAsync(cancellationToken);

    /// <summary>Who has the lease, in words, for <c>check</c>. Changes nothing.</summary>
    public async Task<string> DescribeAsync(CancellationToken cancellationToken) => await folder.FindNewestAsync(cancellationToken) switch
    {
        null => "no agent has written here yet",
        { Holder: null } damaged => $"the lease {damaged.Epoch:x16} is damaged; it lapses when its holder falls silent",
        { Holder: { } holder, Beat: { Released: true } beat } => $"free; {holder.Instance} on {holder.Machine} gave it back at {beat.At:u}",
        { Holder: { } holder } found => $"held by {holder.Instance} on {holder.Machine}, process {holder.Process.ProcessId}, since {holder.AcquiredAt:u}; "
            + $"last heard at {found.Beat?.At ?? holder.AcquiredAt:u} by its clock",
    };

    /// <summary>The store as the holder may write it.</summary>
    internal IObjectStore Fence(IObjectStore store) => new FencedObjectStore(store, this);

    internal async ValueTask EndAsync(HeldLease ended)
    {
        await turn.WaitAsync(CancellationToken.None);
        try
        {
            if (--ended.Holds > 0)
            {
                return;
            }

            // A lost one may have had a successor in this process already.
            held = held == ended ? null : held;
            await ended.DisposeAsync();
        }
        finally
        {
            turn.Release();
        }
    }

    private HeldLease Held() => held ?? throw new SourceException(
        $"This agent does not hold the lease of {folder.Source} in {folder.StoreDescription}, so it writes nothing there.", isPermanent: true);

    /// <summary>Gives the lease back, whoever in this process still holds it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (held is { } last)
        {
            held = null;
            await last.DisposeAsync();
        }

        turn.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "This agent writes the archive of {Source} from now on (epoch {Epoch}).")]
    private partial void LogTaken(string source, ulong epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Store} cannot refuse to replace an object, so the lease of {Source} cannot keep out an agent that begins at the same "
        + "moment. Run one agent only; between two on one server its replication slot decides.")]
    private partial void LogUnguarded(string store, string source);
}
