using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What a base backup says. Which of the properties have a meaning depends on <see cref="Kind"/>.</summary>
internal readonly record struct BaseBackupEvent
{
    public required BaseBackupEventKind Kind { get; init; }

    /// <summary>Archive start: <c>base.tar</c>, or a tablespace's oid with <c>.tar</c>.</summary>
    public string? ArchiveName { get; init; }

    /// <summary>Archive start: the tablespace's directory on the server; empty for the data directory.</summary>
    public string? Location { get; init; }

    /// <summary>Data: the bytes, which lie in the receive buffer until the next read.</summary>
    public ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>Progress: archive bytes over all archives so far.</summary>
    public long BytesDone { get; init; }

    /// <summary>End: WAL up to here belongs to the backup.</summary>
    public Lsn EndLsn { get; init; }

    /// <summary>End: the timeline of the end position.</summary>
    public uint EndTimeline { get; init; }
}
