using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>Finds the last FLUSHALL or FLUSHDB in the stream behind a base.</summary>
internal static class FlushSearch
{
    /// <returns>Where the command, or the transaction that holds it, begins; null when there is none.</returns>
    public static async Task<ulong?> FindLastAsync(LogArchive archive, StreamPath path, ulong end, CancellationToken cancellationToken)
    {
        ulong? found = null;
        var safe = path.Start.Offset;
        var scanner = new CommandScanner(path.Start.Offset, command =>
        {
            if (command.Kind == CommandKind.Flush)
            {
                found = safe;
            }

            safe = command.SafeEnd;
        });
        await PathReading.ReadAsync(archive, path, end, bytes => scanner.Feed(bytes.Span), cancellationToken);
        return found;
    }
}
