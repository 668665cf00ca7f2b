namespace NLDS.BackupAgent.Commands;

/// <summary>What the process tells its caller.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    public const int Failed = 1;

    /// <summary>The command line or the configuration is at fault; nothing was tried.</summary>
    public const int Usage = 2;

    /// <summary>Damage was found, or the target is not restorable.</summary>
    public const int Damage = 3;

    /// <summary>
    /// The answers of <c>wal-fetch</c>. PostgreSQL takes 1 to 125 for the end of the archive and promotes, so everything that is not certain is 255,
    /// which stops its recovery instead.
    /// </summary>
    public const int WalAbsent = 1;

    public const int WalUnknown = 255;
}
