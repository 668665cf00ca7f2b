namespace NLDS.BackupAgent.Daemon;

/// <summary>How long to wait before trying again: doubling from <paramref name="First"/> to <paramref name="Longest"/>.</summary>
internal readonly record struct Backoff(TimeSpan First, TimeSpan Longest)
{
    /// <param name="failures">Failures in a row, from 1.</param>
    public TimeSpan After(int failures)
    {
        // 2^20 times any first wait is past every longest one; the bound keeps the power finite.
        var wait = First * Math.Pow(2, Math.Clamp(failures - 1, 0, 20));
        return wait < Longest ? wait : Longest;
    }

    /// <param name="failures">Failures in a row, from 1.</param>
    /// <param name="chance">0 to 1: agents that lost one server together shall not come back to it together.</param>
    public TimeSpan After(int failures, double chance) => After(failures) * (0.5 + (0.5 * chance));
}
