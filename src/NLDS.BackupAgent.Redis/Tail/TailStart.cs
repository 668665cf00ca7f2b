using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.Tail;

/// <summary>Where to go on. Pure: what the repository holds goes in, a place in the stream comes out.</summary>
internal static class TailStart
{
    /// <summary>
    /// The end of what can be restored from the newest base. While nothing of the stream behind that base is durable yet, the stream behind the newest base that has one is
    /// gone on with, or it would have a hole up to the new one; and where no base has one, they all need it from the oldest on.
    /// </summary>
    /// <returns>Null when there is no base that a stream continues.</returns>
    public static StreamPosition? Decide(LogInventory inventory, IEnumerable<RedisBase> bases)
    {
        List<StreamPosition> starts = [.. bases.OrderByDescending(b => b.Sealed.Id).Select(b => b.Details.Position).OfType<StreamPosition>()];
        if (starts.Count == 0)
        {
            return null;
        }

        var newest = StreamPath.Find(inventory, starts[0]);
        if (newest.Pieces.Count > 0)
        {
            return newest.End;
        }

        List<StreamPath> before = [.. starts.Skip(1).Select(start => StreamPath.Find(inventory, start))
            .Where(path => path.End.ReplicationId == newest.End.ReplicationId && path.End.Offset <= newest.End.Offset && path.Hole is null)];
        return (before.FirstOrDefault(path => path.Pieces.Count > 0) ?? before.MinBy(path => path.End.Offset) ?? newest).End;
    }
}
