namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>What a restore is expected to take, until this machine has measured better.</summary>
internal static class RestoreRates
{
    /// <summary>Unpacking is bound by the disk: what cloud volumes of middling size sustain.</summary>
    private const double UnpackBytesPerSecond = 150e6;

    /// <summary>Replay is one process and mostly random writes; 50 to 100 MB/s are reported for ordinary servers.</summary>
    private const double ReplayBytesPerSecond = 60e6;

    /// <summary>Start, end-of-recovery checkpoint and promotion.</summary>
    private static readonly TimeSpan StartUp = TimeSpan.FromSeconds(5);

    public static TimeSpan Estimate(long baseBytes, long walBytes) =>
        StartUp + TimeSpan.FromSeconds((baseBytes / UnpackBytesPerSecond) + (walBytes / ReplayBytesPerSecond));
}
