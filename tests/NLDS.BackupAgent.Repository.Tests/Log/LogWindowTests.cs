using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class LogWindowTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Windows_come_back_as_they_were_even_when_the_clock_was_set_back()
    {
        LogWindow[] windows = [new(1005, Noon, Noon.AddMilliseconds(7)), new(1005, Noon.AddDays(400), Noon.AddDays(400)), new(9000, Noon.AddSeconds(-5), Noon)];

        LogWindow.Decode(LogWindow.Encode(windows, 1000), 1000).ShouldBe(windows);
        LogWindow.Encode(null, 1000).ShouldBeNull();
        LogWindow.Decode(null, 1000).ShouldBeEmpty();
    }

    [Fact]
    public void Numbers_that_are_no_windows_are_refused() => Should.Throw<FormatException>(() => LogWindow.Decode([1, 2], 0));

    /// <summary>As many as a source may note in one segment, each as long as they get.</summary>
    [Theory]
    [InlineData(Codec.Zstd)]
    [InlineData(Codec.Gzip)]
    [InlineData(Codec.None)]
    public void A_full_seal_fits_into_the_one_read_that_gets_it(Codec codec)
    {
        var windows = Enumerable.Range(1, 500).Select(i => new LogWindow((ulong)i * (16 << 20), Noon.AddHours(i * 5), Noon.AddHours(i * 5).AddMilliseconds(999))).ToList();
        var seal = new LogSeal
        {
            Lineage = new string('f', 40),
            Start = ulong.MaxValue >> 1,
            End = ulong.MaxValue >> 1,
            HashedFrom = ulong.MaxValue >> 1,
            ContentSha256 = new string('f', 64),
            StoredBytes = long.MaxValue,
            StoredSha256 = new string('f', 64),
            Earliest = Noon.AddTicks(1),
            Latest = Noon.AddTicks(1),
            AsOf = Noon.AddTicks(1),
            Arrivals = LogWindow.Encode(windows, 0),
        };

        var frame = SealFrame.Write(seal, codec);

        frame.Length.ShouldBeLessThanOrEqualTo(SealFrame.MaximumBytes);
        LogWindow.Decode(SealFrame.Read(frame, codec, out _)!.Arrivals, 0).ShouldBe(windows);
    }

    [Fact]
    public void Times_of_two_stretches_have_the_windows_of_both_in_order()
    {
        var first = new LogTimes(Noon, Noon) { Windows = [new LogWindow(1, Noon, Noon)] };
        var second = new LogTimes(Noon, Noon.AddSeconds(1)) { Windows = [new LogWindow(2, Noon, Noon)] };

        default(LogTimes).Include(first).Include(default(LogTimes)).Include(second).Windows!.Select(w => w.Start).ShouldBe([1u, 2u]);
    }
}
