using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>
/// <c>verified.json</c> beside a manifest: at <paramref name="Verified"/> every byte of this backup was read back and was what the manifest says. It is written anew
/// by each verification that finds nothing wrong.
/// </summary>
/// <param name="Agent">The version of the program that read it.</param>
/// <param name="ManifestSha256">The manifest's own <c>sha256</c>: a proof is of one manifest only.</param>
internal sealed record BackupProof(
    string Source, string Id, DateTimeOffset Verified, string Agent, string ManifestSha256, IReadOnlyList<BackupProof.ProvenObject> Objects)
{
    internal sealed record ProvenObject(string Key, string StoredSha256);
}

/// <summary><c>damaged.json</c> beside a manifest: at <paramref name="Found"/> the backup was read back and was not what it should be. Gone when it is found sound again.</summary>
internal sealed record BackupDamageMark(string Source, string Id, DateTimeOffset Found, string Agent);

/// <summary><c>SOURCE/verified/LINEAGE.json</c>: which whole segments of a log were read back, and when.</summary>
internal sealed record LogProof(string Source, string Lineage, string Agent, IReadOnlyList<ProvenRange> Ranges);

/// <summary>The segments from <paramref name="Start"/> to <paramref name="End"/> were read back at or after <paramref name="Verified"/>.</summary>
internal readonly record struct ProvenRange(ulong Start, ulong End, DateTimeOffset Verified);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(BackupProof))]
[JsonSerializable(typeof(BackupDamageMark))]
[JsonSerializable(typeof(LogProof))]
internal sealed partial class ProofJson : JsonSerializerContext;
