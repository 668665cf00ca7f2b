using NLDS.BackupAgent.Commands;

namespace NLDS.BackupAgent.Health;

/// <summary>
/// Whether something out there answers. It is asked only when somebody wants to know and the last answer is old, and never twice at once, so that probes cost nothing
/// and one that hangs holds no more than one call.
/// </summary>
/// <param name="what">What is asked, as people know it.</param>
/// <param name="ask">One small question. It may take for ever; nobody waits for it longer than <see cref="Patience"/>.</param>
/// <param name="keep">How long an answer counts.</param>
/// <param name="stopping">When the agent stops.</param>
internal sealed class Look(string what, Func<CancellationToken, Task> ask, TimeSpan keep, TimeProvider time, CancellationToken stopping)
{
    /// <summary>A probe is given up after a second, unless it says otherwise.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(0.75);

    private readonly Lock gate = new();
    private Task asking = Task.CompletedTask;
    private long? began;
    private long? answered;
    private string? fault;

    /// <summary>Asks if that is due, waits for the answer as long as a probe can, and says what is wrong; null when nothing is.</summary>
    public async Task<string?> AskAsync()
    {
        await Begin().WaitAsync(Patience, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return Known(TimeSpan.Zero);
    }

    /// <summary>What is wrong as far as it is known, without waiting. It is asked if that is due, for whoever wants to know next.</summary>
    public string? Peek()
    {
        Begin();
        return Known(Patience);
    }

    private Task Begin()
    {
        lock (gate)
        {
            if (asking.IsCompleted && (answered is not { } last || time.GetElapsedTime(last) >= keep))
            {
                began = time.GetTimestamp();

                // On a thread of the pool: a directory that hangs blocks its caller before the first await.
                asking = Task.Run(AskOnceAsync, CancellationToken.None);
            }

            return asking;
        }
    }

    private async Task AskOnceAsync()
    {
        string? found = null;
        try
        {
            await ask(stopping);
        }
        catch (Exception failure)
        {
            found = $"{what}: {Failure.Of(failure).Message}";
        }

        lock (gate)
        {
            (answered, fault) = (time.GetTimestamp(), found);
        }
    }

    /// <param name="patience">So long a question may be open before that is a fault; the last answer counts until then.</param>
    private string? Known(TimeSpan patience)
    {
        lock (gate)
        {
            if (asking.IsCompleted || began is not { } since)
            {
                return fault;
            }

            var waited = time.GetElapsedTime(since);
            return waited < patience && answered is not null
                ? fault
                : FormattableString.Invariant($"{what}: has not answered for {waited.TotalSeconds:F1} s.{(fault is null ? "" : $" Before that: {fault}")}");
        }
    }
}
