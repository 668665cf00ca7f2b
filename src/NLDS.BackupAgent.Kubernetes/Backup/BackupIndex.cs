using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Kubernetes.Backup;

/// <summary><c>index.json</c>, the last entry of the archive: what it holds, so that it can be proved whole and told from another.</summary>
internal sealed record BackupIndex
{
    public const int CurrentFormat = 1;

    public required int Format { get; init; }

    public required string Namespace { get; init; }

    public required string ServerVersion { get; init; }

    /// <summary>What the objects say, all together: two backups with the same are restored to the same.</summary>
    public required string Digest { get; init; }

    public required IReadOnlyList<IndexedKind> Kinds { get; init; }

    public required IReadOnlyList<IndexedObject> Objects { get; init; }

    /// <summary>The files beside the objects' own, by their path, with the SHA-256 of their bytes.</summary>
    public required IReadOnlyDictionary<string, string> Files { get; init; }

    public required IReadOnlyList<string> Omissions { get; init; }
}

/// <summary>A kind that was read.</summary>
/// <param name="Revision">The resourceVersion that its list is of; kinds are read one after the other.</param>
/// <param name="IsConsistent">False when the list took so long that the server forgot the moment that it began at.</param>
internal sealed record IndexedKind(string Group, string Version, string Plural, string Kind, bool IsNamespaced, bool HasStatus, int Count, string Revision, bool IsConsistent);

/// <summary>One object.</summary>
/// <param name="Path">In the archive, below its root folder; as the API gave it.</param>
/// <param name="Kind">Its kind by plural and group: <c>deployments.apps</c>.</param>
/// <param name="Sha256">Of the file's bytes.</param>
/// <param name="Digest">Of what it says, whatever its status and revision.</param>
internal sealed record IndexedObject(string Path, string Kind, string Name, string Sha256, string Digest);

/// <summary>What the manifest tells of a backup without the archive's being opened. No hashes of content: the manifest of an encrypted backup can be read by anybody.</summary>
internal sealed record BackupDetails
{
    public required string Namespace { get; init; }

    public required string ServerVersion { get; init; }

    /// <summary>The moment at which reading began.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Objects by kind: <c>deployments.apps</c>.</summary>
    public required IReadOnlyDictionary<string, int> Objects { get; init; }

    /// <summary>Objects that were not kept, by why: made by their owner, finished.</summary>
    public required IReadOnlyDictionary<string, int> Skipped { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(BackupIndex))]
[JsonSerializable(typeof(BackupDetails))]
internal sealed partial class BackupJson : JsonSerializerContext;
