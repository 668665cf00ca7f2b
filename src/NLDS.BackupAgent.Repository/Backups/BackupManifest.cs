using System.Text.Json;
using System.Text.Json.Serialization;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>
/// The document that makes a backup exist: written last, when every object that it names is durable. JSON, camelCase, UTC times;
/// it proves itself.
/// </summary>
public sealed record BackupManifest
{
    public const int CurrentFormat = 2;

    /// <summary>
    /// Version of this document's shape; a reader refuses a newer one. 1 for a backup that stands by itself, 2 for one with a <see cref="Parent"/>, of which an older
    /// program would restore a part for the whole.
    /// </summary>
    public required int Format { get; init; }

    public required string Source { get; init; }

    public required string Id { get; init; }

    /// <summary>The id of the backup without which this one cannot be restored, because it holds only what changed since; null when it stands by itself.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Parent { get; init; }

    /// <summary>For a backup with a parent, what the content is once it is put together with what it builds upon; null for one that stands by itself.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? WholeBytes { get; init; }

    public required DateTimeOffset Began { get; init; }

    /// <summary>When the last object was durable.</summary>
    public required DateTimeOffset Ended { get; init; }

    /// <summary>The version of the program that wrote it.</summary>
    public required string Agent { get; init; }

    public required IReadOnlyList<BackupObject> Objects { get; init; }

    /// <summary>What of the source is not in the backup although it should be, a sentence each; null when it is whole.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Omissions { get; init; }

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

    /// <summary>SHA-256 of the content, lower-case hexadecimal. Null for an encrypted object: who can read the manifest could confirm a guess of the content.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ContentSha256 { get; init; }

    /// <summary>For an encrypted object, HMAC-SHA256 of the content's SHA-256 under a key derived from the repository's; otherwise null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ContentHmac { get; init; }

    /// <summary>The id of the repository key that an encrypted object takes; otherwise null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? KeyId { get; init; }

    public required long StoredBytes { get; init; }

    /// <summary>SHA-256 of the object as stored, lower-case hexadecimal.</summary>
    public required string StoredSha256 { get; init; }

    /// <summary>No store takes a larger object, and a thousand of them can be added up.</summary>
    private const long LargestBytes = 1L << 50;

    /// <summary>It says where it lies and how its content is proved, in numbers that can be.</summary>
    internal bool IsWhole => ObjectKey.TryParse(Key, out _) && (KeyId is null ? ContentSha256 is not null : ContentHmac is not null)
        && ContentBytes is >= 0 and <= LargestBytes && StoredBytes is >= 0 and <= LargestBytes;
}
