namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>How a server packs archives and manifest into copy messages; it changed with PostgreSQL 15.</summary>
internal abstract class BackupFraming
{
    private readonly Queue<BaseBackupEvent> pending = new(capacity: 2);

    /// <summary>Events that follow from the framing and not from a copy message.</summary>
    public bool TryTakePending(out BaseBackupEvent next) => pending.TryDequeue(out next);

    /// <summary>CopyOutResponse.</summary>
    public abstract void BeginCopy();

    /// <summary>CopyData.</summary>
    public abstract BaseBackupEvent Interpret(ReadOnlyMemory<byte> body);

    /// <summary>CopyDone.</summary>
    public abstract void EndCopy();

    /// <exception cref="ProtocolException">The server ended without having sent an archive or the manifest.</exception>
    public abstract void RequireComplete();

    protected void Announce(BaseBackupEvent next) => pending.Enqueue(next);
}
