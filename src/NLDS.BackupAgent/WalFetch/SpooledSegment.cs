namespace NLDS.BackupAgent.WalFetch;

/// <summary>A segment that was read ahead.</summary>
internal static class SpooledSegment
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(5);

    /// <summary>A segment that has not grown for so long is fetched without the help of the reader, which may hang.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <returns>Whether the segment was delivered.</returns>
    public static async ValueTask<bool> TryDeliverAsync(Spool spool, string segment, string path, TimeProvider time) =>
        TryMove(spool, segment, path) || (await ArrivesAsync(spool, segment, time) && TryMove(spool, segment, path));

    private static bool TryMove(Spool spool, string segment, string path)
    {
        if (!spool.Holds(segment))
        {
            return false;
        }

        Move(spool.PathOf(segment), path);
        return true;
    }

    /// <summary>Whole or not at all: within one file system both moves are renames; between two the first one copies.</summary>
    public static void Move(string from, string path)
    {
        var temporary = path + Spool.UnfinishedSuffix;
        try
        {
            File.Move(from, temporary, overwrite: true);
            File.Move(temporary, path, overwrite: true);
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
