using NpgsqlTypes;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>A moment of the cluster's life: the log's end at a time.</summary>
internal readonly record struct Moment(DateTimeOffset Time, NpgsqlLogSequenceNumber Position);

/// <summary>
/// All that was written, in the one line of history that the cluster is on, and how much of it the agent has claimed to be durable. Written by the writers and by who listens
/// to the agent, read by who checks.
/// </summary>
internal sealed class Ledger(int writers)
{
    private readonly Lock gate = new();
    private readonly List<Transfer>[] transfers = [.. Enumerable.Range(0, writers).Select(_ => new List<Transfer>())];
    private readonly int[] claimed = new int[writers];
    private List<Moment> moments = [];

    /// <summary>Raised by each fork.</summary>
    public int Epoch { get; private set; }

    public int Writers => writers;

    public IReadOnlyList<Moment> Moments
    {
        get
        {
            lock (gate)
            {
                return [.. moments];
            }
        }
    }

    public void Note(Moment moment)
    {
        lock (gate)
        {
            moments.Add(moment);
        }
    }

    /// <summary>What lies before is not to be restored any more.</summary>
    public void Forget(Func<Moment, bool> gone)
    {
        lock (gate)
        {
            moments = [.. moments.Where(moment => !gone(moment))];
        }
    }

    /// <summary>The next transaction of a writer is about to be committed. Returns its number.</summary>
    public int Begin(int writer, NpgsqlLogSequenceNumber before)
    {
        lock (gate)
        {
            transfers[writer].Add(new Transfer(Epoch, before));
            return transfers[writer].Count;
        }
    }

    public int NextOf(int writer)
    {
        lock (gate)
        {
            return transfers[writer].Count + 1;
        }
    }

    /// <param name="isClaimed">The commit waited for the agent: the answer says that it is durable in the store.</param>
    public void Answer(int writer, NpgsqlLogSequenceNumber after, DateTimeOffset? committed, DateTimeOffset answered, bool isClaimed = false)
    {
        lock (gate)
        {
            transfers[writer][^1] = transfers[writer][^1] with { After = after, Committed = committed, Answered = answered };
            claimed[writer] = isClaimed ? transfers[writer].Count : claimed[writer];
        }
    }

    /// <summary>The server came back. What it had not answered is there or is not; what it had answered must be.</summary>
    /// <returns>What it lost or invented; null when nothing.</returns>
    public string? Settle(int writer, int last, NpgsqlLogSequenceNumber after, DateTimeOffset? committed)
    {
        lock (gate)
        {
            var own = transfers[writer];
            if (own is [.., { After: null }])
            {
                if (last == own.Count)
                {
                    own[^1] = own[^1] with { After = after, Committed = committed };
                }
                else
                {
                    own.RemoveAt(own.Count - 1);
                }
            }

            return last == own.Count ? null : $"The server itself came back with {last} transfers of writer {writer}, and had answered {own.Count}.";
        }
    }

    /// <summary>The agent says that all up to here is durable and can be restored.</summary>
    public void Claim(NpgsqlLogSequenceNumber position, DateTimeOffset until)
    {
        lock (gate)
        {
            for (var writer = 0; writer < writers; writer++)
            {
                var own = transfers[writer];
                while (claimed[writer] < own.Count && (own[claimed[writer]].After <= position || own[claimed[writer]].Answered <= until))
                {
                    claimed[writer]++;
                }
            }
        }
    }

    /// <summary>How many transfers of each writer must be there in a restore from now on.</summary>
    public int[] Claimed
    {
        get
        {
            lock (gate)
            {
                return [.. claimed];
            }
        }
    }

    /// <summary>The cluster goes on from another server, which has no more than this.</summary>
    /// <param name="after">That server's end of the log.</param>
    /// <returns>How many transfers are not in its history.</returns>
    public int Fork(HeldLedger held, NpgsqlLogSequenceNumber after)
    {
        lock (gate)
        {
            Epoch++;
            moments = [.. moments.Where(moment => moment.Position <= after)];
            var lost = 0;
            for (var writer = 0; writer < writers; writer++)
            {
                var (own, last) = (transfers[writer], held.LastOf(writer));
                lost += own.Count - last;
                own.RemoveRange(last, own.Count - last);
                claimed[writer] = Math.Min(claimed[writer], last);
                if (own is [.., { After: null }])
                {
                    own[^1] = own[^1] with { After = after, Committed = held.Runs.Last(run => run.Writer == writer).Newest };
                }
            }

            return lost;
        }
    }

    /// <summary>The first thing in which a restore to the end is not what it must be; null when there is none.</summary>
    /// <param name="least">What was claimed before the restore began.</param>
    public string? Contradiction(HeldLedger held, IReadOnlyList<int> least)
    {
        lock (gate)
        {
            return Foreign(held)
                ?? Range(held, (writer, last) => last < least[writer] ? $"writer {writer} has {last} transfers, and {least[writer]} were claimed to be durable" : null)
                ?? Disorder(held);
        }
    }

    /// <summary>The first thing in which a restore to a place in the log is not what it must be.</summary>
    public string? Contradiction(HeldLedger held, NpgsqlLogSequenceNumber at)
    {
        lock (gate)
        {
            return Foreign(held) ?? Range(held, (writer, last) =>
                last > 0 && transfers[writer][last - 1].Before >= at ? $"transfer {last} of writer {writer} began at {transfers[writer][last - 1].Before}, not before {at}"
                : last < transfers[writer].Count && transfers[writer][last].After <= at ? $"transfer {last + 1} of writer {writer} ended at {transfers[writer][last].After}, and is missing"
                : null) ?? Disorder(held);
        }
    }

    /// <summary>The first thing in which a restore to a time is not what it must be: all up to the first transaction that ended later.</summary>
    public string? Contradiction(HeldLedger held, DateTimeOffset at)
    {
        lock (gate)
        {
            var later = transfers.SelectMany(own => own).Where(t => t.Committed > at).Select(t => t.Before).DefaultIfEmpty(new NpgsqlLogSequenceNumber(ulong.MaxValue)).Min();
            return Foreign(held)
                ?? (held.Runs.FirstOrDefault(run => run.Newest > at) is { } early ? $"writer {early.Writer} has a transfer of {early.Newest:O}" : null)
                ?? Range(held, (writer, last) =>
                    last < transfers[writer].Count && transfers[writer][last] is { After: { } after, Committed: { } committed } && committed <= at && after <= later
                        ? $"transfer {last + 1} of writer {writer} of {committed:O} is missing" : null)
                ?? Disorder(held);
        }
    }

    /// <summary>A transfer whose time is known, and which an answer confirmed; null when there is none yet.</summary>
    public Transfer? AnyClaimed(Random random)
    {
        lock (gate)
        {
            var writer = random.Next(writers);
            var since = moments.Count > 0 ? moments[0].Position : default;
            var own = transfers[writer].Take(claimed[writer]).Where(t => t.Committed is not null && t.Before >= since).ToList();
            return moments.Count > 0 && own.Count > 0 ? own[random.Next(own.Count)] : null;
        }
    }

    private static string? Range(HeldLedger held, Func<int, int, string?> judge, int writers) =>
        Enumerable.Range(0, writers).Select(writer => judge(writer, held.LastOf(writer))).FirstOrDefault(fault => fault is not null);

    private string? Range(HeldLedger held, Func<int, int, string?> judge) => Range(held, judge, writers);

    /// <summary>What never was written, or in another life of the cluster.</summary>
    private string? Foreign(HeldLedger held)
    {
        foreach (var run in held.Runs)
        {
            if (run.Writer < 0 || run.Writer >= writers || run.Last > transfers[run.Writer].Count)
            {
                return $"writer {run.Writer} never wrote transfer {run.Last}";
            }

            foreach (var number in (int[])[run.First, run.Last])
            {
                if (transfers[run.Writer][number - 1].Epoch != run.Epoch)
                {
                    return $"transfer {number} of writer {run.Writer} is of epoch {run.Epoch}, and should be of {transfers[run.Writer][number - 1].Epoch}";
                }
            }
        }

        return held.Fault;
    }

    /// <summary>What was answered before something that is there began must be there too, whoever wrote it.</summary>
    private string? Disorder(HeldLedger held)
    {
        var reached = held.Runs.Select(run => transfers[run.Writer][run.Last - 1].Before).DefaultIfEmpty().Max();
        return Range(held, (writer, last) => last < transfers[writer].Count && transfers[writer][last].After <= reached
            ? $"transfer {last + 1} of writer {writer} ended at {transfers[writer][last].After} and is missing, while something is there that began at {reached}" : null);
    }
}
