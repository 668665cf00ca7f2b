using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.Tests.CommandStream;

public sealed class ArrivalTimesTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Each_second_in_which_something_arrived_is_a_window()
    {
        var arrivals = new ArrivalTimes(100);
        arrivals.Note(100, Noon.AddMilliseconds(100));
        arrivals.Note(110, Noon.AddMilliseconds(900));
        arrivals.Note(120, Noon.AddMilliseconds(1000));
        arrivals.Note(130, Noon.AddMilliseconds(5500));
        arrivals.Observe(new byte[40]);

        arrivals.TakeTimes().Windows.ShouldBe(
        [
            new LogWindow(100, Noon.AddMilliseconds(100), Noon.AddMilliseconds(900)),
            new LogWindow(120, Noon.AddMilliseconds(1000), Noon.AddMilliseconds(1000)),
            new LogWindow(130, Noon.AddMilliseconds(5500), Noon.AddMilliseconds(5500)),
        ]);
        arrivals.Windows.ShouldBe(3);
        arrivals.TakeTimes().ShouldBe(default);
    }

    [Fact]
    public void What_the_writer_has_not_seen_yet_waits()
    {
        var arrivals = new ArrivalTimes(0);
        arrivals.Note(0, Noon);
        arrivals.Note(10, Noon.AddSeconds(1));
        arrivals.Observe(new byte[10]);

        arrivals.TakeTimes().Windows!.ShouldHaveSingleItem().Start.ShouldBe(0u);
        arrivals.Observe(new byte[1]);
        arrivals.TakeTimes().Windows!.ShouldHaveSingleItem().Start.ShouldBe(10u);
    }

    [Fact]
    public void Reads_of_one_second_that_the_writer_sees_one_by_one_are_one_window()
    {
        var arrivals = new ArrivalTimes(0);
        for (var i = 0; i < 100; i++)
        {
            arrivals.Note((ulong)i, Noon.AddMilliseconds(i));
            arrivals.Observe(new byte[1]);
        }

        arrivals.TakeTimes().Windows.ShouldBe([new LogWindow(0, Noon, Noon.AddMilliseconds(99))]);
    }
}
