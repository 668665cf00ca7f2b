using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.CommandStream;

/// <summary>
/// Which part of the stream arrived when. The reader notes what it received; the log's writer, which comes behind, takes what it has seen. A window lies within one
/// second of the clock, so that a restore to a whole second never has to cut one.
/// </summary>
internal sealed class ArrivalTimes(ulong start) : ILogObserver
{
    private readonly Lock gate = new();
    private readonly Queue<Arrival> received = [];
    private readonly List<LogWindow> observed = [];
    private ulong position = start;
    private Arrival? open;
    private int windows;

    /// <summary>Windows so far; they must fit into the seal of one segment.</summary>
    public int Windows => Volatile.Read(ref windows);

    /// <summary>Something that is not only the link's own traffic arrived, from this offset on.</summary>
    public void Note(ulong from, DateTimeOffset now)
    {
        lock (gate)
        {
            if (open is { Taken: false } && IsSameSecond(open.First, now))
            {
                open.Last = now > open.Last ? now : open.Last;
                return;
            }

            open = new Arrival { Start = from, First = now, Last = now };
            received.Enqueue(open);
        }
    }

    public void Observe(ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            position += (ulong)bytes.Length;
            while (received.TryPeek(out var next) && next.Start < position)
            {
                received.Dequeue();
                next.Taken = true;
                Add(new LogWindow(next.Start, next.First, next.Last));
            }
        }
    }

    public LogTimes TakeTimes()
    {
        if (observed.Count == 0)
        {
            return default;
        }

        var times = new LogTimes(observed.Min(w => w.First), observed.Max(w => w.Last)) { Windows = [.. observed] };
        observed.Clear();
        return times;
    }

    public IReadOnlyList<LogMark> TakeMarks() => [];

    private void Add(LogWindow window)
    {
        if (observed.Count > 0 && IsSameSecond(observed[^1].First, window.First))
        {
            observed[^1] = observed[^1] with { Last = window.Last > observed[^1].Last ? window.Last : observed[^1].Last };
            return;
        }

        observed.Add(window);
        windows++;
    }

    private static bool IsSameSecond(DateTimeOffset one, DateTimeOffset other) => one.ToUnixTimeSeconds() == other.ToUnixTimeSeconds();

    private sealed class Arrival
    {
        public required ulong Start { get; init; }

        public required DateTimeOffset First { get; init; }

        public required DateTimeOffset Last { get; set; }

        /// <summary>The writer has it; what it takes is not changed any more.</summary>
        public bool Taken { get; set; }
    }
}
