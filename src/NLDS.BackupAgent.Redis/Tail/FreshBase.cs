using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Redis.Tail;

/// <summary>A base that the stream brought along, for the first who asks for one soon enough.</summary>
internal sealed class FreshBase
{
    /// <summary>Older than this it is no answer to "take a backup now".</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly Lock gate = new();
    private (SealedBackup Backup, DateTimeOffset At)? waiting;

    public void Put(SealedBackup backup, DateTimeOffset now)
    {
        lock (gate)
        {
            waiting = (backup, now);
        }
    }

    public SealedBackup? Take(DateTimeOffset now)
    {
        lock (gate)
        {
            var taken = waiting is { } fresh && now - fresh.At < Lifetime ? fresh.Backup : null;
            waiting = null;
            return taken;
        }
    }
}
