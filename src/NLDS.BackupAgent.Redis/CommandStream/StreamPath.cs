using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.CommandStream;

/// <summary>One object on the way, and the part of it that is meant.</summary>
internal sealed record PathPiece(LogPiece Piece, LogRange Part);

/// <summary>The stream behind a place, without a hole, as far as the repository has it; across changes of the replication id. Pure.</summary>
/// <param name="Pieces">In the order of the stream; their parts follow each other exactly.</param>
/// <param name="End">Where it ends.</param>
internal sealed record StreamPath(StreamPosition Start, IReadOnlyList<PathPiece> Pieces, StreamPosition End)
{
    public long Bytes => (long)(End.Offset - Start.Offset);

    /// <summary>The changes of the replication id on the way, as the names of their files tell them; the files themselves prove them.</summary>
    public IReadOnlyList<LineageSwitch> Switches { get; private init; } = [];

    /// <summary>Why it ends where it does although the stream went on; null when nothing behind its end is known.</summary>
    public string? Hole { get; private init; }

    public long StoredBytes => Pieces.Sum(p => p.Piece.StoredBytes);

    public static StreamPath Find(LogInventory inventory, StreamPosition start)
    {
        var switches = LineageSwitch.Of(inventory);
        var pieces = new List<PathPiece>();
        var at = start;
        List<LineageSwitch> passed = [];
        HashSet<string> followed = [];
        while (followed.Add(at.ReplicationId))
        {
            var cover = inventory.Cover(at.ReplicationId, at.Offset);
            foreach (var piece in cover.Pieces)
            {
                pieces.Add(new PathPiece(piece, new LogRange(at.Offset, piece.Range.End)));
                at = at with { Offset = piece.Range.End };
            }

            // Where a history goes on as several, the one that has gone further was followed last.
            var next = switches.Where(s => s.Parent == at.ReplicationId && s.Offset == at.Offset)
                .OrderByDescending(s => inventory.Cover(s.Child, s.Offset).End)
                .Cast<LineageSwitch?>()
                .FirstOrDefault();
            if (next is not { } change)
            {
                break;
            }

            passed.Add(change);
            at = at with { ReplicationId = change.Child };
        }

        return new StreamPath(start, pieces, at) { Switches = passed, Hole = FindHole(inventory, at) };
    }

    /// <summary>A gap without length is where a history ended: what the server has had since belongs to another.</summary>
    private static string? FindHole(LogInventory inventory, StreamPosition end)
    {
        if (inventory.Gaps.FirstOrDefault(g => g.Lineage == end.ReplicationId && g.Start <= end.Offset && g.End > end.Offset) is { } gap)
        {
            return $"Behind offset {end.Offset} there is a gap, recorded {gap.RecordedAt.UtcDateTime:u}: {gap.Reason}";
        }

        if (inventory.Pruned.EndBehind(end.ReplicationId, end.Offset) is not null)
        {
            return $"Behind offset {end.Offset} retention has removed the stream";
        }

        var confirmed = inventory.Confirmation is { } c && c.Lineage == end.ReplicationId ? c.Position : 0;
        var furthest = inventory.Pieces.Where(p => p.Lineage == end.ReplicationId).Select(p => p.Range.End).Append(confirmed).Max();
        return furthest > end.Offset
            ? $"The stream of {end.ReplicationId} is missing from offset {end.Offset} on, although it was stored up to {furthest}"
            : null;
    }
}
