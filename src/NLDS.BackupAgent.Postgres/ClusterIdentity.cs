using System.Globalization;
using System.Text.Json.Serialization;
using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Backups;

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

    /// <summary>Of a backup that holds only what changed since its parent; null for a full one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IncrementalPart? Incremental { get; init; }

    /// <summary>Whether this is what a server's base backup can say of itself, with these objects. A document that proves itself may still say anything.</summary>
    public bool IsSound(IReadOnlyList<BackupObject> objects) =>
        Lsn.TryParse(StartLsn, out var start) && Lsn.TryParse(EndLsn, out var end) && start.IsValid && start <= end
        && StartTimeline != 0 && EndTimeline != 0
        && WalSegmentSize.IsPossible(WalSegmentBytes)
        && int.TryParse(ServerVersion.Split('.', ' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out _)
        && Tablespaces.All(t => t.Oid.Length > 0 && t.Oid.All(char.IsAsciiDigit) && Path.IsPathRooted(t.Location))
        && Settings.Values.All(value => value is not null)
        && (Incremental is null
            || (Incremental.BlockBytes is >= 1024 and <= 65536 && Lsn.TryParse(Incremental.FromLsn, out _)
                && objects.All(o => o.Name == BaseBackupTaker.ServerManifestName || Incremental.RestoredBytes.GetValueOrDefault(o.Name, -1) >= 0)))
        && objects.Select(o => o.Name).Order(StringComparer.Ordinal).SequenceEqual(
            Tablespaces.Select(t => t.Oid + ArchiveFiles.Suffix).Append(ArchiveFiles.DataDirectory).Append(BaseBackupTaker.ServerManifestName).Order(StringComparer.Ordinal));

    internal sealed record Tablespace(string Oid, string Location);

    /// <param name="FromLsn">Where the parent's log begins: all changes from there on are in this backup.</param>
    /// <param name="BlockBytes">The server's block_size: a file that changed in part comes as the blocks that did.</param>
    /// <param name="RestoredBytes">By archive, what its files take when they are whole again.</param>
    internal sealed record IncrementalPart(string FromLsn, int BlockBytes, IReadOnlyDictionary<string, long> RestoredBytes);
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
