using NLDS.BackupAgent.Torture.Postgres;
using NpgsqlTypes;

namespace NLDS.BackupAgent.Torture.Tests.Postgres;

/// <summary>The ledger must see each way in which a restore can be wrong, or the torture proves nothing.</summary>
public sealed class LedgerTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void What_was_claimed_by_its_place_or_by_its_time_must_be_there()
    {
        var ledger = Written((0, 100), (0, 200), (1, 300), (0, 400));
        ledger.Claim(At(250), Noon.AddSeconds(-1));
        ledger.Claimed.ShouldBe([2, 0]);
        ledger.Claim(At(0), Noon.AddSeconds(300));
        ledger.Claimed.ShouldBe([2, 1]);

        ledger.Contradiction(Held((0, 0, 2), (1, 0, 1)), ledger.Claimed).ShouldBeNull();
        ledger.Contradiction(Held((0, 0, 3), (1, 0, 1)), ledger.Claimed).ShouldBeNull();
        ledger.Contradiction(Held((0, 0, 2)), ledger.Claimed).ShouldNotBeNull().ShouldContain("claimed");
    }

    [Fact]
    public void What_was_never_written_or_disagrees_with_itself_must_not_be_there()
    {
        var ledger = Written((0, 100));

        ledger.Contradiction(Held((0, 0, 2)), ledger.Claimed).ShouldNotBeNull().ShouldContain("never wrote");
        ledger.Contradiction(Held((2, 0, 1)), ledger.Claimed).ShouldNotBeNull().ShouldContain("never wrote");
        ledger.Contradiction(Held((0, 0, 1)) with { Fault = "torn" }, ledger.Claimed).ShouldBe("torn");
    }

    [Fact]
    public void What_was_answered_before_something_that_is_there_began_must_be_there_too()
    {
        var ledger = Written((0, 100), (1, 200));

        ledger.Contradiction(Held((1, 0, 1)), ledger.Claimed).ShouldNotBeNull().ShouldContain("missing");
        ledger.Contradiction(Held((0, 0, 1)), ledger.Claimed).ShouldBeNull();
    }

    [Fact]
    public void A_fork_leaves_behind_what_the_successor_lacks_and_its_numbers_are_of_another_life()
    {
        var ledger = Written((0, 100), (0, 200), (0, 300));
        ledger.Claim(At(1000), Noon);
        ledger.Note(new Moment(Noon, At(250)));

        ledger.Fork(Held((0, 0, 1)), At(150)).ShouldBe(2);

        ledger.Claimed.ShouldBe([1, 0]);
        ledger.Moments.ShouldBeEmpty();
        Write(ledger, 0, 200);
        ledger.Contradiction(Held((0, 0, 2)), ledger.Claimed).ShouldNotBeNull().ShouldContain("epoch");
        ledger.Contradiction(Held((0, 0, 1)), ledger.Claimed).ShouldBeNull();
        ledger.Contradiction(new HeldLedger([Run(0, 0, 1, 1), Run(0, 1, 2, 2)], null), ledger.Claimed).ShouldBeNull();
    }

    [Fact]
    public void A_place_in_the_log_has_all_that_ended_before_it_and_nothing_that_began_behind_it()
    {
        var ledger = Written((0, 100), (0, 200));

        ledger.Contradiction(Held((0, 0, 1)), At(150)).ShouldBeNull();
        ledger.Contradiction(Held(), At(150)).ShouldNotBeNull().ShouldContain("missing");
        ledger.Contradiction(Held((0, 0, 2)), At(150)).ShouldNotBeNull().ShouldContain("not before");

        // Within the second transaction both are right.
        ledger.Contradiction(Held((0, 0, 1)), At(195)).ShouldBeNull();
        ledger.Contradiction(Held((0, 0, 2)), At(195)).ShouldBeNull();
    }

    [Fact]
    public void A_time_has_all_that_was_committed_by_then_and_not_what_was_committed_later()
    {
        var ledger = Written((0, 100), (1, 200));

        ledger.Contradiction(Held((0, 0, 1)), Noon.AddSeconds(100)).ShouldBeNull();
        ledger.Contradiction(Held(), Noon.AddSeconds(100)).ShouldNotBeNull().ShouldContain("missing");
        ledger.Contradiction(Held((0, 0, 1)), Noon.AddSeconds(100).AddMicroseconds(-1)).ShouldNotBeNull().ShouldContain("has a transfer of");
    }

    [Fact]
    public void What_the_server_had_not_answered_is_there_or_is_not()
    {
        var ledger = Written((0, 100));
        ledger.Begin(0, At(150));
        ledger.Settle(0, 1, At(160), null).ShouldBeNull();
        ledger.NextOf(0).ShouldBe(2);
        ledger.Begin(0, At(170));
        ledger.Settle(0, 2, At(180), Noon).ShouldBeNull();
        ledger.NextOf(0).ShouldBe(3);

        ledger.Settle(0, 1, At(190), Noon).ShouldNotBeNull();
    }

    /// <summary>Transfers that end at a place in the log and as many seconds after noon, and begin 10 before.</summary>
    private static Ledger Written(params (int Writer, ulong End)[] transfers)
    {
        var ledger = new Ledger(2);
        foreach (var (writer, end) in transfers)
        {
            Write(ledger, writer, end);
        }

        return ledger;
    }

    private static void Write(Ledger ledger, int writer, ulong end)
    {
        ledger.Begin(writer, At(end - 10));
        ledger.Answer(writer, At(end), Noon.AddSeconds(end), Noon.AddSeconds(end));
    }

    private static HeldLedger Held(params (int Writer, int Epoch, int Last)[] runs) => new([.. runs.Select(run => Run(run.Writer, run.Epoch, 1, run.Last))], null);

    private static HeldRun Run(int writer, int epoch, int first, int last) => new(writer, epoch, first, last, last - first + 1, Noon.AddSeconds(last * 100));

    private static NpgsqlLogSequenceNumber At(ulong position) => new(position);
}
