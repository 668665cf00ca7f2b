using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What a WAL stream says. Which of the properties have a meaning depends on <see cref="Kind"/>.</summary>
internal readonly record struct WalMessage
{
    public required WalMessageKind Kind { get; init; }

    /// <summary>Data: the position of the payload's first byte.</summary>
    public Lsn Start { get; init; }

    /// <summary>Data: the bytes, which lie in the receive buffer until the next read. They may cross the end of a segment.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Data: the position after the payload's last byte.</summary>
    public Lsn End => Start + (ulong)Payload.Length;

    /// <summary>
    /// Data: how far the server's own WAL was flushed when it read these bytes, which may be far beyond them. Keepalive: how far it has sent.
    /// </summary>
    public Lsn ServerEnd { get; init; }

    /// <summary>Data and keepalive: by the server's clock.</summary>
    public DateTimeOffset SentAt { get; init; }

    /// <summary>Keepalive: answer at once, or the server takes us for dead, or never ends its shutdown.</summary>
    public bool ReplyRequested { get; init; }

    /// <summary>End of timeline: where to go on.</summary>
    public uint NextTimeline { get; init; }

    /// <summary>End of timeline: where the next one begins. May lie before what was received: half a record is not part of the history.</summary>
    public Lsn SwitchPoint { get; init; }
}
