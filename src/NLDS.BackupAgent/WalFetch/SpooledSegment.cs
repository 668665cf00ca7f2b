namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// The short way: a segment that was read ahead is delivered before any configuration, service or command line is loaded, because a process starts for each.
/// Whatever is not ordinary here is left to the long way, which can say what is wrong.
/// </summary>
internal static class SpooledSegment
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(5);

    /// <summary>A segment that has not grown for so long is fetched without the help of the reader, which may hang.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <returns>Whether the segment was delivered.</returns>
    public static async ValueTask<bool> TryDeliverAsync(IReadOnlyList<string> arguments, Func<StartingPlace> start, TimeProvider time)
    {
        if (WalFetchArguments.TryRead(arguments) is not { } wanted || !Spool.IsSegmentName(wanted.File))
        {
            return false;
        }

        try
        {
            var place = start();
            var spool = Spool.For(wanted, place);
            var path = Path.GetFullPath(wanted.Path, place.WorkingDirectory);
            return spool.IsOwned
                && (TryMove(spool, wanted.File, path) || (await ArrivesAsync(spool, wanted.File, time) && TryMove(spool, wanted.File, path)));
        }
        catch (Exception notSo) when (notSo is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Whole or not at all: within one file system both moves are renames; between two the first one copies.</summary>
    private static bool TryMove(Spool spool, string segment, string path)
    {
        if (!spool.Holds(segment))
        {
            return false;
        }

        var temporary = path + Spool.UnfinishedSuffix;
        try
        {
            File.Move(spool.PathOf(segment), temporary, overwrite: true);
            File.Move(temporary, path, overwrite: true);
            return true;
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Waits for a segment that is on its way, as long as it grows; to fetch it once more would take as long and halve the speed of both.</summary>
    private static async ValueTask<bool> ArrivesAsync(Spool spool, string segment, TimeProvider time)
    {
        var unfinished = new FileInfo(spool.PathOf(segment) + Spool.UnfinishedSuffix);
        var grown = -1L;
        var since = time.GetTimestamp();
        while (unfinished.Exists && spool.IsBeingFilled())
        {
            if (unfinished.Length > grown)
            {
                grown = unfinished.Length;
                since = time.GetTimestamp();
            }
            else if (time.GetElapsedTime(since) > Patience)
            {
                return false;
            }

            await Task.Delay(LookAgain, time);
            unfinished.Refresh();
        }

        return spool.Holds(segment);
    }
}
