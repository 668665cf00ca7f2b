using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// Keeps a spool filled with what a recovering server will want next. Where the server is, is seen from what it takes out of the spool, by whatever means,
/// and from what it asked for in vain. Nothing here can end a recovery or spoil it: a segment that is not in the spool is fetched by the server's own
/// command, which alone tells of an end or of a failure.
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

    /// <summary>A fraction of what the server takes for the window; looking costs some microseconds.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(25);

    private readonly Dictionary<string, Task<bool>> underway = [];
    private HashSet<string> stock = [];
    private IReadOnlyList<string> wanted = [];
    private string? asked;

    /// <summary>Why nothing more can be read ahead from here.</summary>
    private string? end;

    /// <summary>The end is not one that a later look can move.</summary>
    private bool failed;

    /// <returns>Why it ended, in a sentence. The spool is empty then.</returns>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        using var mine = spool.TryLock();
        if (mine is null)
        {
            return "Another process reads ahead for this server.";
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            return await FollowAsync(stop.Token);
        }
        finally
        {
            await stop.CancelAsync();
            await ((Task)Task.WhenAll(underway.Values)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            spool.Clear();
        }
    }

    private async Task<string> FollowAsync(CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        while (spool.IsOwned)
        {
            await TakeStockAsync();
            if (await FollowServerAsync(cancellationToken))
            {
                since = time.GetTimestamp();
                end = failed ? end : null;
            }

            FetchMissing(cancellationToken);
            if (end is not null && stock.Count == 0 && underway.Count == 0)
            {
                return end;
            }

            if (time.GetElapsedTime(since) >= Idle)
            {
                return $"The server asked for nothing in {Idle.TotalSeconds} s.";
            }

            if (!Directory.Exists(spool.Owner.Directory))
            {
                return $"The server's directory '{spool.Owner.Directory}' is gone.";
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

        foreach (var unwanted in present.Except(wanted).ToList())
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
