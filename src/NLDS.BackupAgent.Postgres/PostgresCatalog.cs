using System.Text.Json;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres;

/// <summary>A base backup with the part of its manifest that only PostgreSQL understands.</summary>
internal sealed record BaseBackup(SealedBackup Sealed, BaseBackupDetails Details)
{
    /// <summary>The backup that this one holds the changes since, where it was looked up; null for a full one.</summary>
    public BaseBackup? Parent { get; init; }

    /// <summary>What a restore unpacks, one after the other: the full backup first, this one last.</summary>
    public IReadOnlyList<BaseBackup> Chain => [.. Parent?.Chain ?? [], this];

    /// <summary>What a restore unpacks, as far as it is known here.</summary>
    public long BytesToUnpack => Parent is null ? Sealed.WholeBytes : Chain.Sum(b => b.Sealed.ContentBytes);

    public Lsn Start => Lsn.Parse(Details.StartLsn);

    public Lsn End => Lsn.Parse(Details.EndLsn);

    public WalSegmentSize SegmentSize => new(Details.WalSegmentBytes);

    /// <summary>What the files of one of its archives take when they are restored.</summary>
    public long RestoredBytes(BackupObject archive) => Details.Incremental?.RestoredBytes[archive.Name] ?? archive.ContentBytes;
}

/// <summary>Why a fresh base backup is needed, and whether the end of the log can be restored without it.</summary>
internal sealed record SnapshotNeed(string Reason, bool LogIsReachable);

/// <summary>Where this source's things lie in the repository, and whose they are.</summary>
internal sealed class PostgresCatalog(BackupRepository repository)
{
    public const string Source = "postgres";

    public static SnapshotLayout Layout { get; } = new(Source, "postgres/full/", '/');

    /// <summary>Where it is, for messages.</summary>
    public string Description => repository.Description;

    public LogArchive OpenLog(WalSegmentSize size) => repository.OpenLog("postgres/wal", new WalNaming(size));

    /// <summary>The log for whoever holds the lease; nobody else changes anything through it.</summary>
    public LogArchive OpenLog(WalSegmentSize size, WriterLease writer) => repository.OpenLog("postgres/wal", new WalNaming(size), writer);

    public async Task<ClusterIdentity?> ReadIdentityAsync(CancellationToken cancellationToken) =>
        await repository.ReadIdentityAsync(Source, PostgresJson.Default.ClusterIdentity, cancellationToken) is not { } identity ? null
            : WalSegmentSize.IsPossible(identity.WalSegmentBytes) ? identity
            : throw new NotRestorableException($"'{Source}/identity.json' in {repository.Description} is damaged: no cluster has segments of {identity.WalSegmentBytes} bytes.");

    /// <exception cref="NotRestorableException">Nothing of PostgreSQL was ever stored here.</exception>
    public async Task<ClusterIdentity> RequireIdentityAsync(CancellationToken cancellationToken)
    {
        await repository.RequireAsync(cancellationToken);
        return await ReadIdentityAsync(cancellationToken)
            ?? throw new NotRestorableException($"The repository in {repository.Description} holds nothing of PostgreSQL: '{Source}/identity.json' is missing.");
    }

    /// <summary>Binds an empty repository to the cluster; refuses one that belongs to another.</summary>
    public async Task BindAsync(string systemIdentifier, WalSegmentSize size, CancellationToken cancellationToken)
    {
        var bound = await repository.BindIdentityAsync(
            Source, new ClusterIdentity(systemIdentifier, size.Bytes), PostgresJson.Default.ClusterIdentity, cancellationToken);
        if (bound.SystemIdentifier != systemIdentifier)
        {
            throw new SourceException(
                $"The repository in {repository.Description} belongs to the cluster with system identifier {bound.SystemIdentifier}; this server has {systemIdentifier}. "
                + "Nothing was changed. Use another Storage path or prefix for this cluster (after pg_upgrade or a new initdb too).",
                isPermanent: true);
        }
    }

    public Task<IReadOnlyList<Adoption>> ListAdoptionsAsync(CancellationToken cancellationToken) =>
        repository.ListAdoptionsAsync(Source, PostgresJson.Default.Adoption, cancellationToken);

    public Task RecordAdoptionAsync(Adoption adoption, CancellationToken cancellationToken) =>
        repository.RecordAdoptionAsync(Source, adoption.RestoreId, adoption, PostgresJson.Default.Adoption, cancellationToken);

    public Task RecordSuccessionAsync(Succession succession, CancellationToken cancellationToken) =>
        repository.RecordSuccessionAsync(Source, succession.RestoreId, succession, PostgresJson.Default.Succession, cancellationToken);

    /// <summary>Null when the restore was not made to take the original's place.</summary>
    public Task<Succession?> FindSuccessionAsync(RestoreId restore, CancellationToken cancellationToken) =>
        repository.FindSuccessionAsync(Source, restore.ToString(), PostgresJson.Default.Succession, cancellationToken);

    public async Task<BackupListing<BaseBackup>> ListBackupsAsync(CancellationToken cancellationToken)
    {
        var backups = await repository.ListBackupsAsync(Layout, cancellationToken);
        var sound = new List<BaseBackup>();
        var damaged = backups.Damaged.ToList();
        foreach (var backup in backups)
        {
            try
            {
                sound.Add(WithParent(Read(backup), sound));
            }
            catch (NotRestorableException damage)
            {
                damaged.Add(new DamagedBackup(backup.Id, NameOfManifest(backup.Id), damage.Message));
            }
        }

        return new BackupListing<BaseBackup>(sound, damaged);
    }

    /// <exception cref="NotRestorableException">What it builds upon cannot be restored, or is not what it was taken from.</exception>
    private static BaseBackup WithParent(BaseBackup backup, List<BaseBackup> older)
    {
        if (backup.Details.Incremental is not { } incremental)
        {
            return backup;
        }

        var id = backup.Sealed.Id;
        var parent = older.Find(b => b.Sealed.Id.ToString() == backup.Sealed.Parent)
            ?? throw new NotRestorableException($"Backup {id} holds only what changed since backup {backup.Sealed.Parent}, which cannot be restored itself.");
        return parent.Details.StartLsn == incremental.FromLsn && parent.Details.SystemIdentifier == backup.Details.SystemIdentifier
            ? backup with { Parent = parent }
            : throw new NotRestorableException(
                $"Backup {id} holds what changed since {incremental.FromLsn}, and backup {backup.Sealed.Parent}, which it names, "
                + $"begins at {parent.Details.StartLsn} of the cluster {parent.Details.SystemIdentifier}.");
    }

    /// <summary>Where a backup's manifest lies, for messages.</summary>
    public static string NameOfManifest(BackupId id) => $"{Layout.Prefix}{id}/manifest.json";

    public static BaseBackup Read(SealedBackup backup)
    {
        try
        {
            var details = backup.Manifest.Details.Deserialize(PostgresJson.Default.BaseBackupDetails) ?? throw new JsonException("null");
            return details.IsSound(backup.Manifest.Objects) && (details.Incremental is null) == (backup.Parent is null)
                ? new BaseBackup(backup, details)
                : throw new JsonException("not a base backup");
        }
        catch (JsonException)
        {
            throw new NotRestorableException($"The manifest of base backup {backup.Id} is damaged: its details cannot be read.");
        }
    }

    /// <summary>The newest base backup that a server of this history continues; one that an ancestor's server took behind the switch point is none.</summary>
    public async Task<BaseBackup?> NewestAsync(TimelineHistory history, CancellationToken cancellationToken)
    {
        var backups = await ListBackupsAsync(cancellationToken);
        return backups.Where(b => history.TimelineOwning(b.End - 1) == b.Details.EndTimeline).MaxBy(b => b.End.Value);
    }

    /// <summary>Why a fresh base backup is needed, or null when the newest one and the log since then are enough. Pure.</summary>
    public static SnapshotNeed? WhySnapshotNeeded(BaseBackup? newest, LogInventory inventory, TimelineHistory history)
    {
        if (newest is null)
        {
            return new SnapshotNeed("there is no base backup yet", LogIsReachable: false);
        }

        var gap = inventory.Gaps.Where(g => g.End > newest.Start.Value && history.Contains(WalNaming.Timeline(g.Lineage))).MaxBy(g => g.End);
        if (gap is not null)
        {
            return new SnapshotNeed($"WAL is missing from {new Lsn(gap.Start)} to {new Lsn(gap.End)}", LogIsReachable: false);
        }

        return newest.Details.EndTimeline == history.Timeline
            ? null
            : new SnapshotNeed($"the server has moved to timeline {history.Timeline} since the last base backup", LogIsReachable: true);
    }

    /// <summary>Removes the chunks whose bytes a whole segment holds, left behind by an agent that died between the two.</summary>
    /// <returns>The inventory without them.</returns>
    public static async Task<LogInventory> RemoveCoveredChunksAsync(LogArchive archive, LogInventory inventory, CancellationToken cancellationToken)
    {
        var segments = inventory.Pieces.Where(p => p.IsSegment).Select(p => (p.Lineage, p.Range)).ToHashSet();
        List<LogPiece> covered =
            [.. inventory.Pieces.Where(p => !p.IsSegment && segments.Contains((p.Lineage, archive.Naming.SegmentAt(p.Range.Start))))];
        await archive.RemoveAsync(covered, cancellationToken);
        return inventory with { Pieces = [.. inventory.Pieces.Except(covered)] };
    }
}
