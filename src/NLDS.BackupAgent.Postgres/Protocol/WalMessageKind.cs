namespace NLDS.BackupAgent.Postgres.Protocol;

internal enum WalMessageKind
{
    /// <summary>Bytes of WAL.</summary>
    Data,

    /// <summary>A sign of life, perhaps with the wish for an answer.</summary>
    Keepalive,

    /// <summary>This timeline has no more WAL; the stream is over and the connection is idle again.</summary>
    EndOfTimeline,

    /// <summary>The server has sent all it had and shuts down; the connection is of no more use.</summary>
    ServerShutdown,
}
