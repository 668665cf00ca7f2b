using FsCheck;
using FsCheck.Fluent;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class ContiguousFrontierTests
{
    private static readonly Arbitrary<(int Start, int Length)[]> Ranges = (
        from start in Gen.Choose(0, 60)
        from length in Gen.Choose(1, 15)
        select (start, length)).ArrayOf().ToArbitrary();

    [Fact]
    public void It_stands_at_the_first_byte_that_is_not_durable_after_every_step() => Prop.ForAll(Ranges, ranges =>
    {
        var frontier = new ContiguousFrontier(10);
        var durable = new HashSet<int>();
        foreach (var (start, length) in ranges)
        {
            durable.UnionWith(Enumerable.Range(start, length));
            var expected = 10;
            while (durable.Contains(expected))
            {
                expected++;
            }

            if (frontier.Add(new LogRange((ulong)start, (ulong)(start + length))) != (ulong)expected || frontier.Position != (ulong)expected)
            {
                return false;
            }
        }

        return true;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void It_never_goes_back() => Prop.ForAll(Ranges, ranges =>
    {
        var frontier = new ContiguousFrontier(10);
        var seen = frontier.Position;
        foreach (var (start, length) in ranges)
        {
            var now = frontier.Add(new LogRange((ulong)start, (ulong)(start + length)));
            if (now < seen)
            {
                return false;
            }

            seen = now;
        }

        return true;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Uploads_that_end_in_any_order_bring_it_to_the_same_end() => Prop.ForAll(Ranges, ranges =>
        EndOf(ranges) == EndOf(ranges.Reverse())).QuickCheckThrowOnFailure();

    private static ulong EndOf(IEnumerable<(int Start, int Length)> ranges)
    {
        var frontier = new ContiguousFrontier(10);
        foreach (var (start, length) in ranges)
        {
            frontier.Add(new LogRange((ulong)start, (ulong)(start + length)));
        }

        return frontier.Position;
    }
}
