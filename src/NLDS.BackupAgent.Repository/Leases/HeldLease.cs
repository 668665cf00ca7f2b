using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>
/// A lease that this process took: it beats until it is released, and stops counting by itself when it could not beat for <see cref="LeaseTiming.Validity"/>.
/// Writers then wait: nobody may have taken it, which only the next epoch proves, and this process asks for that one itself. When another has it, it is lost for good.
/// </summary>
internal sealed partial class HeldLease : IAsyncDisposable
{
    private readonly LeaseFolder folder;
    private readonly LeaseContender contender;
    private readonly LeaseTiming timing;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly Lock gate = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly Task beating;
    private LeaseDocument document;
    private long beats;
    private long beatBegan;
    private long? lookBegan;
    private string? lost;
    private TaskCompletionSource changed = NewSignal();

    /// <param name="taken">What was just put.</param>
    /// <param name="began">When that put began, by <paramref name="clock"/>.</param>
    public HeldLease(
        LeaseFolder folder, LeaseContender contender, LeaseDocument taken, long began, LeaseTiming timing, TimeProvider clock, ILogger logger)
    {
        (this.folder, this.contender, this.timing, this.clock, this.logger) = (folder, contender, timing, clock, logger);
        document = taken;
        beatBegan = began;
        beating = Task.Run(BeatAsync);
    }

    public ulong Epoch => document.Epoch;

    /// <summary>How many parts of this process rely on it.</summary>
    public int Holds { get; set; }

    /// <summary>Why it is lost, or null.</summary>
    public string? Lost
    {
        get
        {
            lock (gate)
            {
                return lost;
            }
        }
    }

    /// <summary>Returns when this process may write; by the own clock only, so it costs nothing.</summary>
    /// <exception cref="SourceException">Another has the lease, or it could not be renewed for long.</exception>
    public async Task RequireTimelyAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            Task next;
            lock (gate)
            {
                if (lost is not null)
                {
                    throw new SourceException(lost, isPermanent: true);
                }

                if (IsTimely)
                {
                    return;
                }

                next = changed.Task;
            }

            var left = timing.RenewalPatience - clock.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                throw new SourceException(
                    $"The right to write the archive of {folder.Source} in {folder.StoreDescription} could not be renewed for {timing.RenewalPatience.TotalSeconds} s, "
                    + "because the store did not answer. Writing stopped, lest another agent write too; it goes on when the store answers.",
                    isPermanent: false);
            }

            await next.WaitAsync(left, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Also looks into the store whether a newer epoch exists: before what could not be undone.</summary>
    public async Task RequireNewestAsync(CancellationToken cancellationToken)
    {
        await RequireTimelyAsync(cancellationToken);
        if (LookIsFresh())
        {
            return;
        }

        await LookAsync(cancellationToken);
        await RequireTimelyAsync(cancellationToken);
    }

    /// <summary>Ends the beat, and says in the store that the next may come at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await beating;
        if (Lost is null)
        {
            using var limit = new CancellationTokenSource(timing.Farewell, clock);
            try
            {
                await folder.BeatAsync(document.Epoch, NextBeat(released: true), limit.Token);
            }
            catch (Exception unanswered) when (unanswered.IsStoreFailure() || unanswered is OperationCanceledException)
            {
                LogNotReleased(folder.Source, timing.Lapse.TotalSeconds, unanswered.Message);
            }
        }

        stopping.Dispose();
    }

    private bool IsTimely => clock.GetElapsedTime(beatBegan) < timing.Validity;

    private async Task BeatAsync()
    {
        var wait = timing.Beat;
        while (!stopping.IsCancellationRequested && Lost is null)
        {
            await Task.Delay(wait, clock, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!stopping.IsCancellationRequested)
            {
                wait = await TryBeatAsync() ? timing.Beat : timing.BeatAgain;
            }
        }
    }

    private async Task<bool> TryBeatAsync()
    {
        using var limit = new CancellationTokenSource(timing.BeatTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping.Token);
        try
        {
            bool timely;
            lock (gate)
            {
                timely = IsTimely;
            }

            await (timely ? RenewAsync(either.Token) : TakeAgainAsync(either.Token));
            return true;
        }
        catch (Exception unanswered) when (unanswered.IsStoreFailure() || unanswered is OperationCanceledException)
        {
            if (!stopping.IsCancellationRequested)
            {
                LogBeatFailed(folder.Source, unanswered is OperationCanceledException ? "the store did not answer in time." : unanswered.Message);
            }

            return false;
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        await folder.BeatAsync(document.Epoch, NextBeat(released: false), cancellationToken);
        await LookAsync(cancellationToken);
        Signal(() => beatBegan = began);
    }

    /// <summary>Too late for a beat: whether another took over meanwhile, only the put of the next epoch decides.</summary>
    private async Task TakeAgainAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var (taken, refusal) = await contender.TryTakeAsync(cancellationToken);
        if (taken is null)
        {
            Lose(refusal!.Message);
            return;
        }

        Signal(() => (document, beatBegan, beats) = (taken, began, 0));
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var epochs = await folder.ListAsync(cancellationToken);
        if (epochs is not [.., var newest] || newest != document.Epoch)
        {
            var successor = epochs.Count > 0 && epochs[^1] > document.Epoch ? await folder.FindNewestAsync(cancellationToken) : null;
            Lose(successor is { Holder: { } holder }
                ? $"{holder.Instance} on {holder.Machine} took over the archive of {folder.Source} in {folder.StoreDescription} at {holder.AcquiredAt:u}, because this agent was not heard. "
                  + "This one writes no more; stop one of the two."
                : $"The lease of {folder.Source} in {folder.StoreDescription} is not this agent's any more. It writes no more until it has it again.");
            return;
        }

        lock (gate)
        {
            lookBegan = began;
        }
    }

    private bool LookIsFresh()
    {
        lock (gate)
        {
            return lookBegan is { } began && clock.GetElapsedTime(began) < timing.Fresh;
        }
    }

    private LeaseBeat NextBeat(bool released) => new(document.Session, beats++, clock.GetUtcNow(), released);

    private void Lose(string reason)
    {
        LogLost(reason);
        Signal(() => lost = reason);
    }

    private void Signal(Action change)
    {
        TaskCompletionSource waiting;
        lock (gate)
        {
            change();
            (waiting, changed) = (changed, NewSignal());
        }

        waiting.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Reason}")]
    private partial void LogLost(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lease of {Source} could not be renewed: {Reason}")]
    private partial void LogBeatFailed(string source, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lease of {Source} could not be given back; another agent elsewhere waits {Seconds} s for it to lapse. {Reason}")]
    private partial void LogNotReleased(string source, double seconds, string reason);
}
