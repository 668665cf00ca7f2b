using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class ConfirmedMomentsTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly ConfirmedMoments moments = new();

    [Fact]
    public void Nothing_is_confirmed_before_its_end_is_durable()
    {
        moments.Add(100, Noon);

        moments.Reached(99).ShouldBeNull();
        moments.Peek(99).ShouldBeNull();
        moments.Reached(100).ShouldBe(Noon);
    }

    [Fact]
    public void A_later_time_at_the_same_end_is_simply_better()
    {
        moments.Add(100, Noon);
        moments.Add(100, Noon.AddSeconds(10));

        moments.Reached(100).ShouldBe(Noon.AddSeconds(10));
    }

    [Fact]
    public void A_clock_that_was_set_back_takes_nothing_back()
    {
        moments.Add(100, Noon);
        moments.Reached(100).ShouldBe(Noon);
        moments.Add(100, Noon.AddHours(-1));
        moments.Add(200, Noon.AddMinutes(-30));

        moments.Reached(300).ShouldBe(Noon);
        moments.Peek(300).ShouldBe(Noon);
    }

    [Fact]
    public void An_end_that_went_back_says_nothing()
    {
        moments.Add(200, Noon);
        moments.Add(100, Noon.AddSeconds(1));

        moments.Reached(100).ShouldBeNull();
        moments.Reached(200).ShouldBe(Noon);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_it_says_is_always_true_and_never_goes_back_however_many_there_are(int seed)
    {
        var random = new Random(seed);
        var said = new List<(ulong Position, DateTimeOffset AsOf)>();
        var (position, asOf, durable) = (0ul, Noon, 0ul);
        DateTimeOffset? last = null;
        for (var step = 0; step < 20_000; step++)
        {
            position += (ulong)random.Next(3);
            asOf += TimeSpan.FromMilliseconds(random.Next(30));
            moments.Add(position, asOf);
            said.Add((position, asOf));
            if (random.Next(2_000) == 0)
            {
                durable += (ulong)random.NextInt64((long)(position - durable) + 1);
                var reached = moments.Reached(durable);
                if (reached is { } time)
                {
                    said.ShouldContain(s => s.Position <= durable && s.AsOf == time, $"seed {seed}");
                    time.ShouldBeGreaterThanOrEqualTo(last ?? DateTimeOffset.MinValue, $"seed {seed}");
                    last = time;
                }
            }
        }

        moments.Reached(position).ShouldBe(asOf, $"seed {seed}: the newest is never lost");
    }
}
