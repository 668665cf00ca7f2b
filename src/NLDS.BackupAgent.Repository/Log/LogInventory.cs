using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>What the store listed of one log at one moment.</summary>
public sealed record LogInventory
{
    /// <summary>
    /// Where the listing begins; null for a whole one. What lies before on this lineage, earlier lineages and the files of earlier ones are not in it, chunks and gaps
    /// always are.
    /// </summary>
    public LogStart? From { get; init; }

    public required IReadOnlyList<LogPiece> Pieces { get; init; }

    /// <summary>Unencrypted pieces that were not there when encryption was turned on: not of this log's making, and never read.</summary>
    public IReadOnlyList<LogPiece> Strange { get; init; } = [];

    public required IReadOnlyList<LogGap> Gaps { get; init; }

    /// <summary>Names of the small files kept beside the log (timeline histories), with their sizes.</summary>
    public required IReadOnlyDictionary<string, long> Files { get; init; }

    /// <summary>Whether it is written down how far the unencrypted log reaches, as the first writer with a key does.</summary>
    public bool HasPlainReach { get; init; }

    /// <summary>Names of the files for which a proof is there, whether or not the file is.</summary>
    public IReadOnlyList<string> ProvenFiles { get; init; } = [];

    /// <summary>The last confirmation, or null when none was ever written.</summary>
    public required LogConfirmation? Confirmation { get; init; }

    /// <summary>What retention has removed: holes that are meant.</summary>
    public PrunedLog Pruned { get; init; } = PrunedLog.Nothing;

    /// <summary>The position up to which <paramref name="lineage"/> is held without a hole, beginning at <paramref name="from"/>.</summary>
    public LogCover Cover(string lineage, ulong from, ulong to = ulong.MaxValue) => LogCover.Find(Pieces, lineage, from, to);
}

/// <summary>A record beside the log (a gap, a mark, the confirmation) that cannot be relied on.</summary>
/// <param name="Key">The object's key.</param>
/// <param name="Reason">What is wrong, in a sentence that names it.</param>
public sealed record DamagedRecord(string Key, string Reason);

/// <summary>A place in a log: the start of a segment.</summary>
public readonly record struct LogStart(string Lineage, ulong Position);
