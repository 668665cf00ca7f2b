using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>A restore that was proved possible, pinned to what the repository held at that moment: what is written later does not change it.</summary>
internal sealed record PostgresRestorePlan : RestorePlan
{
    public required BaseBackup Backup { get; init; }

    public required string TargetDirectory { get; init; }

    public required IReadOnlyList<WalFile> WalFiles { get; init; }

    /// <summary>Names of all history files in the repository: the restored server must not choose a timeline that was used before.</summary>
    public required IReadOnlyList<string> HistoryFiles { get; init; }

    public required uint Timeline { get; init; }

    /// <summary>Where recovery stops. Always set, for "latest" too: a server that cannot get there refuses to start instead of promoting with WAL missing.</summary>
    public required StopPoint Stop { get; init; }

    /// <summary>Where the archive ended, for a restore that takes the original's place; null for a copy.</summary>
    public required ArchiveEnd? Succeeds { get; init; }

    /// <summary>Where each tablespace goes: by oid.</summary>
    public required IReadOnlyDictionary<string, string> TablespaceDirectories { get; init; }
}

/// <summary>PostgreSQL's recovery_target_lsn with recovery_target_inclusive.</summary>
/// <param name="Record">The start of a record.</param>
/// <param name="Inclusive">Whether that record is still replayed.</param>
internal readonly record struct StopPoint(Lsn Record, bool Inclusive);
