using System.Text.Json;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>
/// The document that makes a backup exist: written last, when every object that it names is durable. JSON, camelCase, UTC times;
/// it proves itself.
/// </summary>
public sealed record BackupManifest
{
    public const int CurrentFormat = 1;

    /// <summary>Version of this document's shape; a reader refuses a newer one.</summary>
    public required int Format { get; init; }

    public required string Source { get; init; }

    public required string Id { get; init; }

    public required DateTimeOffset Began { get; init; }

    /// <summary>When the last object was durable.</summary>
    public required DateTimeOffset Ended { get; init; }

    /// <summary>The version of the program that wrote it.</summary>
    public required string Agent { get; init; }

    public required IReadOnlyList<BackupObject> Objects { get; init; }

    /// <summary>What only the source understands; for PostgreSQL the cluster, positions and server settings.</summary>
    public required JsonElement Details { get; init; }
}

/// <summary>One object of a backup, measured before and after compression.</summary>
public sealed record BackupObject
{
    /// <summary>What it is called inside the backup: <c>base.tar</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Where it is, relative to the repository's root.</summary>
    public required string Key { get; init; }

    /// <summary><c>zstd</c>, <c>gzip</c> or <c>none</c>.</summary>
    public required string Codec { get; init; }

    public required long ContentBytes { get; init; }

    /// <summary>SHA-256 of the content, lower-case hexadecimal.</summary>
    public required string ContentSha256 { get; init; }

    public required long StoredBytes { get; init; }

    /// <summary>SHA-256 of the object as stored, lower-case hexadecimal.</summary>
    public required string StoredSha256 { get; init; }
}
