namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>How long a prune may go on; what it has not come to is left to the next one. Without a limit it goes on to the end.</summary>
internal sealed class PruneBudget(TimeProvider clock, TimeSpan? limit)
{
    private readonly long began = clock.GetTimestamp();

    public bool IsSpent => clock.GetElapsedTime(began) >= limit;
}
