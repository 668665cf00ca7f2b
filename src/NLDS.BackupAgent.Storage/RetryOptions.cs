namespace NLDS.BackupAgent.Storage;

/// <summary>The section <c>Storage:Retry</c>: how long one call to the store is kept trying.</summary>
public sealed class RetryOptions
{
    /// <summary>One try of a small request; a large payload gets more, at the rate of a slow line.</summary>
    public TimeSpan AttemptTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>All tries of one call together, pauses included. What calls again after that is the source, which then also says so.</summary>
    public TimeSpan TotalBudget { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>The pause after the first failure; it doubles each time, with jitter.</summary>
    public TimeSpan BaseDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>No pause is longer.</summary>
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromSeconds(10);

    internal IEnumerable<string> Faults()
    {
        // Ten milliseconds and a day are the resilience library's own limits.
        if (AttemptTimeout < TimeSpan.FromMilliseconds(10) || AttemptTimeout > TimeSpan.FromHours(1))
        {
            yield return $"Storage:Retry:AttemptTimeout is {AttemptTimeout}. Set 10 ms to 1 h, for example 00:00:30.";
        }

        if (TotalBudget < AttemptTimeout || TotalBudget > TimeSpan.FromHours(12))
        {
            yield return $"Storage:Retry:TotalBudget is {TotalBudget}. Set at least Storage:Retry:AttemptTimeout ({AttemptTimeout}) and at most 12 h.";
        }

        if (BaseDelay <= TimeSpan.Zero || BaseDelay > MaxDelay)
        {
            yield return $"Storage:Retry:BaseDelay is {BaseDelay}. Set more than zero and at most Storage:Retry:MaxDelay ({MaxDelay}).";
        }

        if (MaxDelay <= TimeSpan.Zero || MaxDelay > TimeSpan.FromHours(1))
        {
            yield return $"Storage:Retry:MaxDelay is {MaxDelay}. Set more than zero and at most 1 h.";
        }
    }
}
