using NLDS.BackupAgent.Commands;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>What is not in the spool (a history, the open segment, the end of the archive), as the process that reads ahead knows it.</summary>
internal static class AskedReader
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(5);

    /// <summary>A reader that has just been started loads its configuration first; one that takes longer hangs.</summary>
    private static readonly TimeSpan UntilTaken = TimeSpan.FromSeconds(5);

    /// <summary>What the store does not give in so long is asked for again without the reader.</summary>
    private static readonly TimeSpan UntilAnswered = TimeSpan.FromMinutes(1);

    /// <returns>0 when delivered, 1 when certainly not in the archive, null when the reader could not tell, or there is none.</returns>
    public static async ValueTask<int?> TryAnswerAsync(Spool spool, string file, string path, TimeProvider time)
    {
        if (!spool.IsBeingFilled())
        {
            return null;
        }

        var question = spool.Questions.Ask(file, path);
        try
        {
            switch (await AnswerAsync(spool, question, time))
            {
                case ExitCode.Done:
                    SpooledSegment.Move(spool.Questions.ContentOf(question), path);
                    return ExitCode.Done;
                case ExitCode.WalAbsent:
                    return ExitCode.WalAbsent;
                default:
                    return null;
            }
        }
        finally
        {
            spool.Questions.Forget(question);
        }
    }

    private static async ValueTask<int?> AnswerAsync(Spool spool, SpoolQuestion question, TimeProvider time)
    {
        var since = time.GetTimestamp();
        while (spool.IsBeingFilled())
        {
            if (spool.Questions.AnswerTo(question) is { } answer)
            {
                return answer;
            }

            if (time.GetElapsedTime(since) > (spool.Questions.IsTaken(question) ? UntilAnswered : UntilTaken))
            {
                return null;
            }

            await Task.Delay(LookAgain, time);
        }

        return null; // An answer may have come just before the reader left, but so may the end of its work on it.
    }
}
