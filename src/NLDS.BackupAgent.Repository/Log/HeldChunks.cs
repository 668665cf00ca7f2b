using System.Diagnostics.CodeAnalysis;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>The chunks that the archive held when a writer began, in the order in which the log that is received again passes their ends.</summary>
internal sealed class HeldChunks
{
    private readonly Queue<LogPiece> chunks;

    public HeldChunks(IReadOnlyCollection<LogPiece> held, string lineage, ulong start)
    {
        CoveredTo = LogCover.Find(held, lineage, start).End;
        chunks = new Queue<LogPiece>(held.Where(p => p.Lineage == lineage && p.Range.End > start && !p.IsSegment).OrderBy(p => p.Range.End));
    }

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
