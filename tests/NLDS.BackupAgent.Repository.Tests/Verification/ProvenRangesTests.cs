using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Repository.Tests.Verification;

public sealed class ProvenRangesTests
{
    private static readonly DateTimeOffset Monday = new(2026, 11, 23, 5, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Neighbours_of_one_day_are_one_range_with_the_older_time()
    {
        var proven = new ProvenRanges([]);
        proven.Add(new LogRange(16, 32), Monday.AddHours(1));
        proven.Add(new LogRange(48, 64), Monday);
        proven.Add(new LogRange(32, 48), Monday.AddHours(2));

        proven.Ranges.ShouldBe([new ProvenRange(16, 64, Monday)]);
    }

    [Fact]
    public void A_part_that_is_read_again_has_a_time_of_its_own()
    {
        var proven = new ProvenRanges([new ProvenRange(0, 100, Monday)]);
        proven.Add(new LogRange(20, 30), Monday.AddDays(1));

        proven.Ranges.ShouldBe([new ProvenRange(0, 20, Monday), new ProvenRange(20, 30, Monday.AddDays(1)), new ProvenRange(30, 100, Monday)]);
        proven.VerifiedAt(new LogRange(20, 30)).ShouldBe(Monday.AddDays(1));
        proven.VerifiedAt(new LogRange(10, 40)).ShouldBe(Monday);
    }

    [Fact]
    public void A_range_is_proven_only_when_all_of_it_is()
    {
        var proven = new ProvenRanges([new ProvenRange(0, 10, Monday), new ProvenRange(20, 30, Monday)]);

        proven.VerifiedAt(new LogRange(5, 25)).ShouldBeNull();
        proven.VerifiedAt(new LogRange(25, 31)).ShouldBeNull();
        proven.VerifiedAt(new LogRange(10, 20)).ShouldBeNull();
        proven.VerifiedAt(new LogRange(20, 30)).ShouldBe(Monday);
    }

    [Fact]
    public void It_is_what_a_table_of_every_position_would_be()
    {
        const int seed = 4711;
        var random = new Random(seed);
        var proven = new ProvenRanges([]);
        var table = new DateTimeOffset?[64];
        for (var step = 0; step < 5000; step++)
        {
            var (start, day) = (random.Next(60), random.Next(3));
            var range = new LogRange((ulong)start, (ulong)random.Next(start + 1, 65));
            if (random.Next(4) == 0)
            {
                proven.Remove(range);
            }
            else
            {
                proven.Add(range, Monday.AddDays(day));
            }

            for (var i = range.Start; i < range.End; i++)
            {
                table[i] = proven.VerifiedAt(range) is null ? null : Monday.AddDays(day);
            }

            for (var i = 0UL; i < 64; i++)
            {
                proven.VerifiedAt(new LogRange(i, i + 1)).ShouldBe(table[i], $"seed {seed}, step {step}, position {i}");
            }

            proven.Ranges.Zip(proven.Ranges.Skip(1)).ShouldAllBe(pair => pair.First.End < pair.Second.Start || pair.First.Verified != pair.Second.Verified);
        }
    }
}
