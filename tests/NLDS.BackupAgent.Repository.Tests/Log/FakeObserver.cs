using System.Globalization;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Tests.Log;

/// <summary>Sees an event, one second apart, at every position that is a multiple of 1,000, and a named moment at those that were asked for.</summary>
internal sealed class FakeObserver(string lineage, ulong start, params ulong[] markedAt) : ILogObserver
{
    public static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Lock gate = new();
    private readonly List<LogMark> marks = [];
    private LogTimes times;
    private ulong position = start;
    private TaskCompletionSource moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static DateTimeOffset TimeAt(ulong position) => Epoch.AddSeconds(position / 1000);

    public void Observe(ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            var end = position + (ulong)bytes.Length;
            for (var at = (position + 999) / 1000 * 1000; at < end; at += 1000)
            {
                times = times.Include(TimeAt(at));
            }

            marks.AddRange(markedAt
                .Where(at => position <= at && at < end)
                .Select(at => new LogMark(at.ToString(CultureInfo.InvariantCulture), lineage, at, at + 1, TimeAt(at))));
            position = end;
            moved.TrySetResult();
            moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public async Task UntilAsync(ulong observed)
    {
        while (true)
        {
            Task next;
            lock (gate)
            {
                if (position >= observed)
                {
                    return;
                }

                next = moved.Task;
            }

            await next;
        }
    }

    public LogTimes TakeTimes()
    {
        lock (gate)
        {
            var taken = times;
            times = default;
            return taken;
        }
    }

    public IReadOnlyList<LogMark> TakeMarks()
    {
        lock (gate)
        {
            List<LogMark> taken = [.. marks];
            marks.Clear();
            return taken;
        }
    }
}
