namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source whose log is tailed for ever and made durable in order.</summary>
public interface IContinuousSource : IBackupSource
{
    /// <summary>
    /// Tails until <paramref name="stopping"/> is signalled, then makes the open tail durable, acknowledges it and returns. Connection losses, restarts and
    /// promotions are survived inside; an exception means that it must not go on (another cluster, a diverged history).
    /// </summary>
    Task TailAsync(CancellationToken stopping);

    /// <summary>Where the tail stands now; cheap, callable at any time from any thread.</summary>
    ContinuousStatus Status { get; }
}
