using System.Diagnostics.CodeAnalysis;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>What the archive held when a writer began; the chunks in the order in which the log that is received again passes their ends.</summary>
internal sealed class HeldPieces
{
    private readonly Queue<LogPiece> chunks;
    private readonly Dictionary<ulong, LogPiece> segments;

    public HeldPieces(IReadOnlyCollection<LogPiece> held, string lineage, ulong start)
    {
        CoveredTo = LogCover.Find(held, lineage, start).End;
        var ahead = held.Where(p => p.Lineage == lineage && p.Range.End > start).ToList();
        chunks = new Queue<LogPiece>(ahead.Where(p => !p.IsSegment).OrderBy(p => p.Range.End));
        segments = ahead.Where(p => p.IsSegment).GroupBy(p => p.Range.End).ToDictionary(same => same.Key, same => same.First());
    }

    /// <summary>The whole segment in the archive that ends here, or null; its name may be that of another codec or of no key.</summary>
    public LogPiece? SegmentEndingAt(ulong position) => segments.GetValueOrDefault(position);

    /// <summary>The archive says that it holds everything before this: nothing before it needs a chunk of its own.</summary>
    public ulong CoveredTo { get; }

    /// <summary>Where the next of them ends; the frame that is being compressed ends there too, so that chunks never share one.</summary>
    public ulong NextEnd => chunks.TryPeek(out var next) ? next.Range.End : ulong.MaxValue;

    public bool TryTakeEndingAt(ulong position, [NotNullWhen(true)] out LogPiece? chunk)
    {
        chunk = NextEnd <= position ? chunks.Dequeue() : null;
        return chunk is not null;
    }
}
