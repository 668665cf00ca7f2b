using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Daemon;

namespace NLDS.BackupAgent.Schedules;

/// <summary>What has to be known to say whether a backup is due now.</summary>
internal sealed record SnapshotSituation
{
    public required DateTimeOffset Now { get; init; }

    /// <summary>When the newest backup began, or was last found to hold all that there is; null when there is none.</summary>
    public DateTimeOffset? NewestBegan { get; init; }

    /// <summary>The last moment at which the schedule wanted a backup; null without a schedule.</summary>
    public DateTimeOffset? LastDue { get; init; }

    /// <summary>Why the tail asks for a backup.</summary>
    public string? Needed { get; init; }

    /// <summary>How long a restore would take now; null when nobody knows.</summary>
    public TimeSpan? Forecast { get; init; }

    /// <summary>How long it may take.</summary>
    public TimeSpan? Objective { get; init; }

    /// <summary>How old the newest backup must be before another is taken for the objective's sake; null for never.</summary>
    public TimeSpan? EarlyEvery { get; init; }

    /// <summary>False while the source's tail does not stream: a backup whose log is not kept would not be restorable.</summary>
    public bool IsReachable { get; init; } = true;

    public JobState Runs { get; init; } = new();
}

/// <summary>Decides whether a backup has to be taken outside its schedule: the first, a missed or failed one, or one that the log needs.</summary>
internal static class SnapshotDue
{
    /// <summary>The schedule itself gets this long to begin the run that is due.</summary>
    private static readonly TimeSpan Punctual = TimeSpan.FromSeconds(15);

    /// <summary>A need that a backup did not end is answered again only after this time, lest a source that never stops asking fill the store.</summary>
    private static readonly TimeSpan NeedAgain = TimeSpan.FromMinutes(10);

    private static readonly Backoff AfterFailure = new(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(15));

    /// <summary>Why a backup must be taken now, or null.</summary>
    public static string? Reason(SnapshotSituation situation)
    {
        if (!situation.IsReachable || situation.Runs.RunningSince is not null || IsWaiting(situation))
        {
            return null;
        }

        if (situation.NewestBegan is not { } newest)
        {
            return "there is no backup yet";
        }

        if (situation.Needed is { } needed && !(situation.Runs.LastSuccess > situation.Now - NeedAgain))
        {
            return needed;
        }

        // The log is what grows: with a newer backup there is less of it to replay.
        if (situation is { Forecast: { } forecast, Objective: { } objective, EarlyEvery: { } every } && forecast > objective && situation.Now - newest >= every)
        {
            return $"a restore would take {Sizes.Duration(forecast)}, and the objective is {Sizes.Duration(objective)}";
        }

        return situation.LastDue is { } due && newest < due && situation.Now - due >= Punctual ? $"the one due at {due:u} is missing" : null;
    }

    private static bool IsWaiting(SnapshotSituation situation) =>
        situation.Runs is { FailuresInARow: > 0 and var failures, LastFailure: { } failed } && situation.Now - failed < AfterFailure.After(failures);
}
