namespace NLDS.BackupAgent.Storage.Limits;

/// <summary>
/// One direction's ceiling, shared by all transfers of the process: a token bucket (RFC 2697's committed rate) kept as the moment up to which the line is paid for.
/// In any time <c>T</c> it lets at most <c>rate × (T + 1.1 s)</c> bytes begin. A transfer gets its bytes in slices and goes behind the others after each, so that
/// transfers of all sizes share the line evenly; what is urgent waits for one slice of the others and no more.
/// </summary>
internal sealed class BandwidthLimit : IDisposable
{
    /// <summary>What an idle line saves up, so that a small object after a pause goes at once, and a late timer costs no rate.</summary>
    private static readonly TimeSpan LongestBurst = TimeSpan.FromSeconds(1);

    /// <summary>Short enough that nobody waits noticeably for another's slice, long enough that timers of a millisecond are exact.</summary>
    private const int SlicesPerSecond = 10;

    private readonly Lock gate = new();
    private readonly Queue<Transfer> urgent = new();
    private readonly Queue<Transfer> ordinary = new();
    private readonly long bytesPerSecond;
    private readonly TimeProvider time;
    private readonly Action<TimeSpan> waited;
    private readonly ITimer timer;
    private long paidUntil;

    /// <param name="waited">Told how long a transfer was held back.</param>
    public BandwidthLimit(long bytesPerSecond, Action<TimeSpan> waited, TimeProvider time)
    {
        this.bytesPerSecond = bytesPerSecond;
        this.waited = waited;
        this.time = time;
        SliceBytes = (int)Math.Min(bytesPerSecond / SlicesPerSecond, 1 << 30);
        paidUntil = time.GetTimestamp();
        timer = time.CreateTimer(_ => Resume(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>How much is let through at once.</summary>
    public int SliceBytes { get; }

    /// <summary>Waits until so many bytes may go.</summary>
    /// <param name="isUrgent">Goes before all that is not.</param>
    public async ValueTask TakeAsync(long bytes, bool isUrgent, CancellationToken cancellationToken)
    {
        if (bytes == 0)
        {
            return;
        }

        var (began, transfer) = (time.GetTimestamp(), new Transfer { Left = bytes });
        lock (gate)
        {
            (isUrgent ? urgent : ordinary).Enqueue(transfer);
            Grant();
        }

        if (!transfer.Task.IsCompleted)
        {
            using var cancelled = cancellationToken.UnsafeRegister(static (waiting, token) => ((Transfer)waiting!).TrySetCanceled(token), transfer);
            await transfer.Task;
            waited(time.GetElapsedTime(began));
        }
    }

    /// <summary>Bytes that are gone without having been waited for, such as those of a try that failed: whoever comes next waits for them.</summary>
    public void Charge(long bytes)
    {
        lock (gate)
        {
            Pay(bytes);
        }
    }

    public void Dispose() => timer.Dispose();

    private void Resume()
    {
        lock (gate)
        {
            Grant();
        }
    }

    /// <summary>Lets go whose turn it is, and comes back when the line is free again. Under the lock.</summary>
    private void Grant()
    {
        while (urgent.Count + ordinary.Count > 0)
        {
            var ahead = time.GetElapsedTime(time.GetTimestamp(), paidUntil);
            if (ahead > TimeSpan.Zero)
            {
                timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(ahead.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
                return;
            }

            GrantSlice(urgent.Count > 0 ? urgent : ordinary);
        }
    }

    private void GrantSlice(Queue<Transfer> queue)
    {
        var next = queue.Dequeue();
        if (next.Task.IsCompleted)
        {
            // Cancelled while it waited: what it has not had costs nothing.
            return;
        }

        var slice = Math.Min(next.Left, SliceBytes);
        Pay(slice);
        next.Left -= slice;
        if (next.Left > 0)
        {
            queue.Enqueue(next);
        }
        else
        {
            next.TrySetResult();
        }
    }

    private void Pay(long bytes)
    {
        var saved = time.GetTimestamp() - (long)(LongestBurst.TotalSeconds * time.TimestampFrequency);
        paidUntil = Math.Max(paidUntil, saved) + (long)(((Int128)bytes * time.TimestampFrequency + bytesPerSecond - 1) / bytesPerSecond);
    }

    private sealed class Transfer() : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Left { get; set; }
    }
}
