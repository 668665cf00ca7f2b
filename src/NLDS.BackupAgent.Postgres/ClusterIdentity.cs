using System.Text.Json.Serialization;
using NLDS.BackupAgent.Postgres.Lineage;

namespace NLDS.BackupAgent.Postgres;

/// <summary>What the repository is bound to: <c>postgres/identity.json</c>.</summary>
/// <param name="SystemIdentifier">Made by initdb; equal in every copy of the cluster.</param>
/// <param name="WalSegmentBytes">Fixed by initdb.</param>
internal sealed record ClusterIdentity(string SystemIdentifier, int WalSegmentBytes);

/// <summary>The part of a backup's manifest that only PostgreSQL understands.</summary>
internal sealed record BaseBackupDetails
{
    public required string SystemIdentifier { get; init; }

    /// <summary>As the server writes it: <c>15.18</c>.</summary>
    public required string ServerVersion { get; init; }

    public required int WalSegmentBytes { get; init; }

    public required string StartLsn { get; init; }

    public required uint StartTimeline { get; init; }

    /// <summary>Consistent from here on: nothing before this position can be restored from this backup.</summary>
    public required string EndLsn { get; init; }

    public required uint EndTimeline { get; init; }

    /// <summary>By the server's clock, when the backup had begun: what was committed before the log that it needs was committed before this.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    public required long Files { get; init; }

    public required IReadOnlyList<Tablespace> Tablespaces { get; init; }

    /// <summary>The settings that a server recovering this backup must not set lower.</summary>
    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    internal sealed record Tablespace(string Oid, string Location);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ClusterIdentity))]
[JsonSerializable(typeof(BaseBackupDetails))]
[JsonSerializable(typeof(Adoption))]
[JsonSerializable(typeof(Succession))]
internal sealed partial class PostgresJson : JsonSerializerContext;
