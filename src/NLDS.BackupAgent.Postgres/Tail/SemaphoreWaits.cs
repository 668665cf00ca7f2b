namespace NLDS.BackupAgent.Postgres.Tail;

internal static class SemaphoreWaits
{
    /// <summary><see cref="SemaphoreSlim.WaitAsync(TimeSpan, CancellationToken)"/> by a clock that tests can move.</summary>
    public static async Task<bool> WaitAsync(this SemaphoreSlim signal, TimeSpan time, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(time, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await signal.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
