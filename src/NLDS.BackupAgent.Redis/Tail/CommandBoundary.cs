using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Tail;

/// <summary>
/// What is durable may end in the middle of a command: a connection breaks where it likes, and a segment ends at its size. Where the command begins is known only to who
/// reads the stream from a base on.
/// </summary>
internal static class CommandBoundary
{
    /// <summary>The last place outside of commands and transactions before an end.</summary>
    /// <returns>Null when no base leads there, or what is stored cannot be read: only a whole copy helps.</returns>
    public static async Task<StreamPosition?> FindAsync(
        LogArchive archive, LogInventory inventory, IEnumerable<RedisBase> bases, StreamPosition end, CancellationToken cancellationToken)
    {
        var path = bases.OrderByDescending(b => b.Sealed.Id).Select(b => b.Details.Position).OfType<StreamPosition>()
            .Select(start => StreamPath.Find(inventory, start))
            .FirstOrDefault(candidate => candidate.End == end);
        if (path is null)
        {
            return null;
        }

        var scanner = new CommandScanner(path.Start.Offset, _ => { });
        try
        {
            await PathReading.ReadAsync(archive, path, end.Offset, bytes => scanner.Feed(bytes.Span), cancellationToken);
            return end with { Offset = scanner.SafeEnd };
        }
        catch (Exception damage) when (damage is ProtocolException or NotRestorableException)
        {
            return null;
        }
    }
}
