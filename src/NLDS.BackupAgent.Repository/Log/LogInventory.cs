using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>What the store listed of one log at one moment.</summary>
public sealed record LogInventory
{
    public required IReadOnlyList<LogPiece> Pieces { get; init; }

    /// <summary>Unencrypted pieces that were not there when encryption was turned on: not of this log's making, and never read.</summary>
    public IReadOnlyList<LogPiece> Strange { get; init; } = [];

    public required IReadOnlyList<LogGap> Gaps { get; init; }

    /// <summary>Names of the small files kept beside the log (timeline histories), with their sizes.</summary>
    public required IReadOnlyDictionary<string, long> Files { get; init; }

    /// <summary>The last confirmation, or null when none was ever written.</summary>
    public required LogConfirmation? Confirmation { get; init; }

    /// <summary>What retention has removed: holes that are meant.</summary>
    public PrunedLog Pruned { get; init; } = PrunedLog.Nothing;

    /// <summary>The position up to which <paramref name="lineage"/> is held without a hole, beginning at <paramref name="from"/>.</summary>
    public LogCover Cover(string lineage, ulong from, ulong to = ulong.MaxValue) => LogCover.Find(Pieces, lineage, from, to);
}
