namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>How long a restore should take until the server answers, from what was measured on two small cores.</summary>
internal static class RestoreRates
{
    /// <summary>Reading, checking and writing the base, and redis-server's loading it.</summary>
    private const double BaseBytesPerSecond = 60e6;

    /// <summary>redis-server's replaying of small commands.</summary>
    private const double StreamBytesPerSecond = 25e6;

    private static readonly TimeSpan Fixed = TimeSpan.FromSeconds(2);

    public static TimeSpan Estimate(long baseBytes, long streamBytes) =>
        Fixed + TimeSpan.FromSeconds((baseBytes / BaseBytesPerSecond) + (streamBytes / StreamBytesPerSecond));
}
