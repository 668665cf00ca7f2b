namespace NLDS.BackupAgent.Testing;

/// <summary>Waits for what another process brings about and nobody tells us of: looks again and again, and gives up after a deadline that no healthy machine needs.</summary>
public static class Eventually
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan DefaultDeadline = TimeSpan.FromSeconds(60);

    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? deadline = null, Func<string>? details = null) =>
        TrueAsync(() => Task.FromResult(condition()), what, deadline, details);

    /// <exception cref="TimeoutException">It did not become true in time.</exception>
    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? deadline = null, Func<string>? details = null)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > (deadline ?? DefaultDeadline))
            {
                throw new TimeoutException($"Waited {deadline ?? DefaultDeadline} in vain until {what}. {details?.Invoke()}");
            }

            await Task.Delay(PollInterval, TimeProvider.System);
        }
    }
}
