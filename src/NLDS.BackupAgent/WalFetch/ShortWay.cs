using NLDS.BackupAgent.Commands;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// <c>wal-fetch</c> without configuration, services and command line, because a process starts for each segment: what was read ahead is taken out of the spool,
/// and for anything else the process that reads ahead is asked. Whatever is not ordinary here is left to the long way, which can say what is wrong.
/// </summary>
internal static class ShortWay
{
    /// <returns>The exit code; null when the long way has to be gone.</returns>
    public static async ValueTask<int?> TryAsync(IReadOnlyList<string> arguments, Func<StartingPlace> start, TimeProvider time)
    {
        if (WalFetchArguments.TryRead(arguments) is not { } wanted)
        {
            return null;
        }

        try
        {
            var place = start();
            var spool = Spool.For(wanted, place);
            var path = Path.GetFullPath(wanted.Path, place.WorkingDirectory);
            if (!spool.IsOwned)
            {
                return null;
            }

            return Spool.IsSegmentName(wanted.File) && await SpooledSegment.TryDeliverAsync(spool, wanted.File, path, time)
                ? ExitCode.Done
                : await AskedReader.TryAnswerAsync(spool, wanted.File, path, time);
        }
        catch (Exception notSo) when (notSo is IOException or UnauthorizedAccessException or ArgumentException or FormatException)
        {
            return null;
        }
    }
}
