namespace NLDS.BackupAgent.Testing;

public enum StopMode
{
    /// <summary>Disconnect everybody, checkpoint, send all WAL to the WAL receivers, exit.</summary>
    Fast,

    /// <summary>Exit without a checkpoint; the next start recovers.</summary>
    Immediate,
}
