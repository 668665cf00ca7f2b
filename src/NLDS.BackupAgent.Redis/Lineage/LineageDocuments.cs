using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Redis.Lineage;

/// <summary><c>redis/servers/NUMBER.json</c>: from here on this archive is that server's. Written once, numbered in order; the last one counts.</summary>
internal sealed record KnownServer
{
    /// <summary>Of its history; null where the server does not tell.</summary>
    public required string? ReplicationId { get; init; }

    public required string? RunId { get; init; }

    public required ServerPlace Place { get; init; }

    /// <summary>It had the mark of a restore when it was let in.</summary>
    public required bool IsRestored { get; init; }

    /// <summary>The restore, where that was made to take the original's place.</summary>
    public required string? RestoreId { get; init; }

    /// <summary>Why it might write.</summary>
    public required RightToWrite Right { get; init; }

    public required DateTimeOffset RecordedAt { get; init; }

    /// <summary>The agent's instance.</summary>
    public required string By { get; init; }
}

/// <summary>
/// <c>redis/succession/RESTORE-ID.json</c>: a restore was made to take the original's place. Written once, by the restore. It holds as long as the archive ends where it
/// ended then: an original that lives is confirmed every few seconds, so that no copy of it can ever use this.
/// </summary>
internal sealed record Succession
{
    public required string RestoreId { get; init; }

    /// <summary>What the archive held when the restore was planned.</summary>
    public required ArchiveEnd Archive { get; init; }

    public required DateTimeOffset RecordedAt { get; init; }

    /// <summary>The instance that restored.</summary>
    public required string By { get; init; }
}

/// <summary>Why a server may go on with an archive.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RightToWrite>))]
internal enum RightToWrite
{
    /// <summary>It may not.</summary>
    None,

    /// <summary>The archive is empty.</summary>
    First,

    /// <summary>The archive is older than the record of its servers.</summary>
    Unrecorded,

    /// <summary>Its history is the archive's, or goes on from it; or it is the same process.</summary>
    SameHistory,

    /// <summary>It stands where the last server stood: that one has restarted, with what it had or empty.</summary>
    SamePlace,

    /// <summary>It was restored to take the original's place, and nobody has written since.</summary>
    Successor,

    /// <summary>It was restored to take the original's place, but somebody has written since.</summary>
    Overtaken,

    /// <summary>The operator says so.</summary>
    Adopted,
}
