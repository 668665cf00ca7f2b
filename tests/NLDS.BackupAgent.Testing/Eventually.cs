namespace NLDS.BackupAgent.Testing;

/// <summary>Waits for what is about to happen, by looking, up to a deadline.</summary>
public static class Eventually
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <exception cref="TimeoutException">It did not happen.</exception>
    public static async Task HoldsAsync(Func<Task<bool>> condition, string what)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > Deadline)
            {
                throw new TimeoutException($"In {Deadline.TotalSeconds} s it did not happen that {what}.");
            }

            await Task.Delay(Interval, TimeProvider.System);
        }
    }

    public static Task HoldsAsync(Func<bool> condition, string what) => HoldsAsync(() => Task.FromResult(condition()), what);
}
