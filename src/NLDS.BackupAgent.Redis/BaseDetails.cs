using System.Text.Json.Serialization;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Redis;

/// <summary>The part of a base's manifest that only Redis understands.</summary>
internal sealed record BaseDetails
{
    /// <summary><c>replication</c>, <c>bgsave</c> or <c>scan</c>; the last is no consistent moment.</summary>
    public required string Method { get; init; }

    /// <summary>The replication history that the copy is a moment of; null where no stream continues it.</summary>
    public required string? ReplicationId { get; init; }

    /// <summary>The copy holds everything before this offset and nothing behind it.</summary>
    public required ulong? Offset { get; init; }

    /// <summary>When that moment was, by the agent's clock. Of a scan, when it began.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The server's version: <c>7.0.15</c>; null when neither it nor the file said.</summary>
    public required string? RedisVersion { get; init; }

    public required int RdbVersion { get; init; }

    /// <summary>The database that the stream's next command is meant for, unless it says so itself.</summary>
    public required int? StreamDatabase { get; init; }

    /// <summary>Keys by database; null when the file's version is newer than this program.</summary>
    public required IReadOnlyDictionary<int, RdbDatabase>? Databases { get; init; }

    public required long Functions { get; init; }

    /// <summary>False when the server writes no checksums (rdbchecksum no).</summary>
    public required bool Checksummed { get; init; }

    [JsonIgnore]
    public StreamPosition? Position => ReplicationId is { } id && Offset is { } offset ? new StreamPosition(id, offset) : null;

    [JsonIgnore]
    public long? Keys => Databases?.Values.Sum(d => d.Keys);
}

/// <summary>A base with its details.</summary>
internal sealed record RedisBase(SealedBackup Sealed, BaseDetails Details)
{
    public const string ObjectName = "rdb";

    public BackupObject Rdb => Sealed.Manifest.Objects.Single(o => o.Name == ObjectName);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(BaseDetails))]
[JsonSerializable(typeof(KnownServer))]
[JsonSerializable(typeof(Succession))]
internal sealed partial class RedisJson : JsonSerializerContext;
