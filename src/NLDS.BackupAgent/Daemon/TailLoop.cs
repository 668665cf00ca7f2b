using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Daemon;

/// <summary>
/// Keeps one tail running. A source survives lost connections itself; what reaches this loop is worse, so it is said aloud, waited out and tried again,
/// slowly when the source says that trying cannot help: somebody may be mending it. While another agent has the source's lease, this one stands by and takes over
/// when that ends or falls silent.
/// </summary>
/// <param name="source">What to tail.</param>
/// <param name="lease">Null where there is no repository to write to.</param>
/// <param name="chance">0 to 1, so that agents that failed together do not come back together.</param>
internal sealed partial class TailLoop(IContinuousSource source, WriterLease? lease, TimeProvider time, Func<double> chance, ILogger logger)
{
    public static readonly TimeSpan PermanentWait = TimeSpan.FromMinutes(1);

    /// <summary>A tail that ran this long was healthy; its next failure is a first one.</summary>
    private static readonly TimeSpan HealthyRun = TimeSpan.FromMinutes(1);

    private static readonly Backoff Transient = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    private readonly LoopPulse pulse = new(time);
    private volatile string? fault;
    private volatile bool running;
    private volatile int restarts;
    private LeaseHold? hold;

    public IContinuousSource Source { get; } = source;

    /// <summary>Why the tail is not running, while it waits to be tried again; otherwise null.</summary>
    public string? Fault => fault;

    public int Restarts => restarts;

    /// <summary>How late the next turn is, of this loop while it waits or of the source while it tails.</summary>
    public TimeSpan OverdueBy => pulse.OverdueBy is var own && own > Source.Status.OverdueBy ? own : Source.Status.OverdueBy;

    public bool IsStreaming => running && Source.Status.IsStreaming;

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await TailAgainAndAgainAsync(stopping);
        }
        finally
        {
            await GiveBackAsync();
        }
    }

    private async Task TailAgainAndAgainAsync(CancellationToken stopping)
    {
        var failures = 0;
        while (await StandByAsync(stopping))
        {
            var began = time.GetTimestamp();
            var failure = await TailOnceAsync(stopping);
            if (stopping.IsCancellationRequested)
            {
                return;
            }

            failures = time.GetElapsedTime(began) >= HealthyRun ? 1 : failures + 1;
            var isPermanent = failure is SourceException { IsPermanent: true } or ObjectStoreException { IsPermanent: true };
            fault = Failure.Of(failure).Message;
            if (hold is { IsLost: true })
            {
                // The lease has said so already; from now on this agent stands by.
                continue;
            }

            var wait = isPermanent ? PermanentWait : Transient.After(failures, chance());
            LogBroken(failure is SourceException or ObjectStoreException ? null : failure, Source.Name, fault, wait);
            if (isPermanent)
            {
                // An agent that must not write, of another cluster or a copy, must not keep out the one that should.
                await GiveBackAsync();
            }

            if (!await WaitAsync(wait, stopping))
            {
                return;
            }

            restarts++;
        }
    }

    /// <summary>Waits until this process has the lease. False when stopping was asked for.</summary>
    private async Task<bool> StandByAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            if (lease is null || hold is { IsLost: false })
            {
                fault = null;
                return true;
            }

            await GiveBackAsync();
            if (await WhyNotAsync(lease, stopping) is { } reason && !stopping.IsCancellationRequested)
            {
                if (reason != fault)
                {
                    LogStandingBy(Source.Name, reason);
                }

                fault = reason;
                await WaitAsync(lease.LookEvery, stopping);
            }
        }

        return false;
    }

    /// <summary>Why the lease is not to be had; null when it was.</summary>
    private async Task<string?> WhyNotAsync(WriterLease wanted, CancellationToken stopping)
    {
        try
        {
            var answer = await wanted.TryHoldAsync(stopping);
            hold = answer.Hold;
            return answer.Refusal?.Message;
        }
        catch (Exception failure)
        {
            return Failure.Of(failure).Message;
        }
    }

    private async Task GiveBackAsync()
    {
        if (hold is { } held)
        {
            hold = null;
            await held.DisposeAsync();
        }
    }

    /// <summary>Why it ended; whatever it was when stopping was asked for.</summary>
    private async Task<Exception> TailOnceAsync(CancellationToken stopping)
    {
        running = true;
        try
        {
            // On a thread of the pool, because a source that blocks before its first await would otherwise hold up the others.
            await Task.Run(() => Source.TailAsync(stopping), CancellationToken.None);
            return new SourceException("The tail ended without being asked to.", isPermanent: false);
        }
        catch (Exception exception)
        {
            if (stopping.IsCancellationRequested && exception is not OperationCanceledException)
            {
                LogBrokenWhileStopping(Source.Name, exception.Message);
            }

            return exception;
        }
        finally
        {
            running = false;
        }
    }

    private async Task<bool> WaitAsync(TimeSpan wait, CancellationToken stopping)
    {
        await pulse.WaitAsync(wait, stopping);
        pulse.Rest();
        return !stopping.IsCancellationRequested;
    }

    [LoggerMessage(LogLevel.Error, "The tail of {Source} broke off: {Message} Trying again in {Wait}.")]
    private partial void LogBroken(Exception? exception, string source, string message, TimeSpan wait);

    [LoggerMessage(LogLevel.Error, "The tail of {Source} could not end in order: {Message} What was not durable is still kept by the server.")]
    private partial void LogBrokenWhileStopping(string source, string message);

    [LoggerMessage(LogLevel.Warning, "Standing by to write {Source}: {Reason}")]
    private partial void LogStandingBy(string source, string reason);
}
