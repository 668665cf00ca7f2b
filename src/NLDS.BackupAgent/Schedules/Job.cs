using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Schedules;

/// <summary>What a job is for.</summary>
internal enum JobKind
{
    Backup,
    Verify,
    Prune,
    Drill,
    Mark,
}

/// <summary>
/// Work that the agent does for a source again and again. Whatever its kind, its runs never overlap, are counted, timed, and shown in status and metrics.
/// </summary>
/// <param name="Name">Its name in metrics, status and logs: <c>postgres-full</c>.</param>
/// <param name="Entry">The source.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="Schedule">When it runs by itself; null for work that runs only when it is needed.</param>
/// <param name="RunAsync">One run. An exception is a failed run; its message is what people read.</param>
internal sealed record Job(
    string Name, SourceEntry Entry, JobKind Kind, JobSchedule? Schedule, Func<IProgress<TransferProgress>, CancellationToken, Task<JobResult>> RunAsync)
{
    /// <summary>Why there is no run to be had on this machine, or null. Such a run is neither begun nor failed: it is said.</summary>
    public Func<CancellationToken, Task<string?>>? FindObstacleAsync { get; init; }
}

/// <summary>What a run that succeeded brought about.</summary>
/// <param name="Summary">In words, for the log: <c>sealed backup 20261123_020000: …</c>.</param>
internal sealed record JobResult(string Summary)
{
    /// <summary>The backup that the run sealed.</summary>
    public string? Backup { get; init; }

    /// <summary>Content bytes that the run handled.</summary>
    public long? Bytes { get; init; }
}
