using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// Keeps a spool filled with what a recovering server will want next. Where the server is, is seen from what it takes out of the spool, by whatever means,
/// and from what it asked for in vain. It also answers for the server's commands what is not in the spool, with the very code that they would run themselves;
/// what it cannot fetch it leaves to them, so nothing here can end a recovery or spoil it. Only for who holds the spool's lock.
/// </summary>
internal sealed class ReadAhead(IWalFetcher fetcher, Spool spool, TimeProvider time)
{
    /// <summary>Eight segments of the usual size: at the speed of replay, more than a store takes to answer.</summary>
    public const long WindowBytes = 128 << 20;

    /// <summary>Looking at them all is done forty times a second.</summary>
    private const int MostSegments = 32;

    /// <summary>They hide the store's round trips; each holds a few megabytes of memory.</summary>
    private const int Parallel = 4;

    /// <summary>A server that wants nothing for so long has ended its recovery, or is in no hurry.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(1);

    /// <summary>An asker has started a process to ask, which takes several times as long; looking costs some microseconds.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    /// <summary>A server asks for one file at a time; more are left over by commands that were killed.</summary>
    private const int MostQuestions = 4;

    /// <summary>Having removed its signal file the server asks for one history more (xlog.c, writeTimeLineHistory).</summary>
    private static readonly TimeSpan LastQuestions = TimeSpan.FromSeconds(2);

    /// <summary>Whoever asked has taken its answer by then, or never will.</summary>
    private static readonly TimeSpan AnswersKept = TimeSpan.FromMinutes(2);

    private readonly Dictionary<string, Task<bool>> underway = [];
    private readonly RecoverySignal recovery = new(spool.Owner.Directory);
    private readonly Dictionary<SpoolQuestion, (Task Answered, long Since)> questions = [];
    private HashSet<string> stock = [];
    private IReadOnlyList<string> wanted = [];
    private string? asked;

    /// <summary>Since when the recovery is over.</summary>
    private long? over;

    /// <summary>Why nothing more can be read ahead from here.</summary>
    private string? end;

    /// <summary>The end is not one that a later look can move.</summary>
    private bool failed;

    /// <returns>Why it ended, in a sentence. The spool is empty then.</returns>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            return await FollowAsync(stop.Token);
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll([.. underway.Values, .. questions.Values.Select(question => question.Answered)]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            spool.Clear();
        }
    }

    private async Task<string> FollowAsync(CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        while (spool.IsOwned)
        {
            await TakeStockAsync();
            var askedSomething = await TakeQuestionsAsync(cancellationToken);
            if (await FollowServerAsync(cancellationToken) || askedSomething)
            {
                since = time.GetTimestamp();
                end = failed ? end : null;
            }

            FetchMissing(cancellationToken);
            if (failed && stock.Count == 0 && underway.Count == 0)
            {
                return end!;
            }

            if (time.GetElapsedTime(since) >= Idle)
            {
                return $"The server asked for nothing in {Idle.TotalSeconds} s. {end}".TrimEnd();
            }

            if (!Directory.Exists(spool.Owner.Directory))
            {
                return $"The server's directory '{spool.Owner.Directory}' is gone.";
            }

            if (!recovery.IsOver())
            {
                over = null;
            }
            else if (time.GetElapsedTime(over ??= time.GetTimestamp()) >= LastQuestions)
            {
                return "The server has ended its recovery.";
            }

            await Task.WhenAny([.. underway.Values, Task.Delay(LookAgain, time, cancellationToken)]);
            cancellationToken.ThrowIfCancellationRequested();
        }

        return "The spool is another's now.";
    }

    private async Task TakeStockAsync()
    {
        foreach (var (segment, fetch) in underway.Where(entry => entry.Value.IsCompleted).ToList())
        {
            underway.Remove(segment);
            try
            {
                if (await fetch)
                {
                    stock.Add(segment);
                }
                else
                {
                    end ??= $"The archive does not hold {segment} as a whole segment.";
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                (end, failed) = ($"Reading {segment} ahead failed: {Failure.Of(exception).Message}", true);
            }
        }
    }

    /// <returns>Whether the server asked for anything.</returns>
    private async Task<bool> TakeQuestionsAsync(CancellationToken cancellationToken)
    {
        foreach (var (old, _) in questions.Where(entry => entry.Value.Answered.IsCompleted && time.GetElapsedTime(entry.Value.Since) > AnswersKept).ToList())
        {
            questions.Remove(old);
            spool.Questions.Forget(old);
        }

        var taken = spool.Questions.Take(MostQuestions - questions.Values.Count(question => !question.Answered.IsCompleted));
        foreach (var question in taken)
        {
            underway.TryGetValue(question.File, out var fetch);
            questions.Add(question, (Task.Run(() => AnswerAsync(question, fetch, cancellationToken), CancellationToken.None), time.GetTimestamp()));
            if (await WantedAfterAsync(question.File, cancellationToken) is { Count: > 0 } following)
            {
                wanted = following;
            }
        }

        return taken.Count > 0;
    }

    /// <summary>What fails is left to the one who asked: it tries again, and says why not.</summary>
    /// <param name="question">What is asked.</param>
    /// <param name="fetch">The file is on its way already.</param>
    /// <param name="cancellationToken">Gives up.</param>
    private async Task AnswerAsync(SpoolQuestion question, Task<bool>? fetch, CancellationToken cancellationToken)
    {
        var answer = ExitCode.WalUnknown;
        try
        {
            answer = await DeliverAsync(question, fetch, cancellationToken) ? ExitCode.Done : ExitCode.WalAbsent;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Said by the answer.
        }

        spool.Questions.Answer(question, answer);
    }

    private async Task<bool> DeliverAsync(SpoolQuestion question, Task<bool>? fetch, CancellationToken cancellationToken)
    {
        var content = spool.Questions.ContentOf(question);
        if (fetch is not null)
        {
            await fetch.WaitAsync(cancellationToken);
        }

        if (Spool.IsSegmentName(question.File) && spool.Holds(question.File))
        {
            File.Move(spool.PathOf(question.File), content);
            return true;
        }

        return await fetcher.FetchAsync(question.File, content, question.ServerPath, cancellationToken);
    }

    /// <returns>Whether the server has moved.</returns>
    private async Task<bool> FollowServerAsync(CancellationToken cancellationToken)
    {
        var present = spool.Segments();
        var moved = false;
        if (spool.Asked is { } now && now != asked)
        {
            asked = now;
            wanted = await WantedAfterAsync(now, cancellationToken);
            moved = true;
        }

        if (wanted.LastOrDefault(segment => stock.Contains(segment) && !present.Contains(segment)) is { } taken)
        {
            wanted = await WantedAfterAsync(taken, cancellationToken);
            moved = true;
        }

        foreach (var unwanted in present.Except(wanted).Except(questions.Where(entry => !entry.Value.Answered.IsCompleted).Select(entry => entry.Key.File)).ToList())
        {
            spool.Remove(unwanted);
            present.Remove(unwanted);
        }

        stock = present;
        return moved;
    }

    private async Task<IReadOnlyList<string>> WantedAfterAsync(string segment, CancellationToken cancellationToken) =>
        [.. (await fetcher.FollowingAsync(segment, WindowBytes, cancellationToken)).Take(MostSegments)];

    private void FetchMissing(CancellationToken cancellationToken)
    {
        foreach (var segment in wanted.Where(segment => !stock.Contains(segment) && !underway.ContainsKey(segment)))
        {
            if (end is not null || underway.Count >= Parallel)
            {
                return;
            }

            underway.Add(segment, Task.Run(() => fetcher.FetchWholeAsync(segment, spool.PathOf(segment), cancellationToken), CancellationToken.None));
        }
    }
}
