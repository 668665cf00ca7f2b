using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class AcknowledgementTests
{
    [Fact]
    public void While_a_segment_comes_again_nothing_is_said()
    {
        var acknowledgement = new Acknowledgement(new Lsn(500));

        acknowledgement.Next(received: new Lsn(100), durable: new Lsn(100)).ShouldBe((Lsn.Invalid, Lsn.Invalid));
        acknowledgement.Next(received: new Lsn(499), durable: new Lsn(499)).ShouldBe((Lsn.Invalid, Lsn.Invalid));
        acknowledgement.Next(received: new Lsn(700), durable: new Lsn(499)).ShouldBe((Lsn.Invalid, Lsn.Invalid));
        acknowledgement.Next(received: new Lsn(700), durable: new Lsn(500)).ShouldBe((new Lsn(700), new Lsn(500)));
    }

    [Fact]
    public void More_durable_than_received_is_a_defect() =>
        Should.Throw<InvalidOperationException>(() => new Acknowledgement(new Lsn(1)).Next(received: new Lsn(10), durable: new Lsn(11)));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(20_261_123)]
    public void Never_beyond_what_is_received_or_durable_and_never_back(int seed)
    {
        var random = new Random(seed);
        for (var run = 0; run < 200; run++)
        {
            var frontier = (ulong)random.Next(1, 1000);
            var acknowledgement = new Acknowledgement(new Lsn(frontier));
            var (received, highest, last) = (0UL, frontier, 0UL);
            var durable = 0UL;
            for (var step = 0; step < 100; step++)
            {
                received += (ulong)random.Next(50);
                durable = Math.Max(durable, (ulong)random.Next((int)received + 1));
                highest = Math.Max(highest, durable);

                var (write, flush) = acknowledgement.Next(new Lsn(received), new Lsn(durable));

                if (durable < frontier)
                {
                    (write, flush).ShouldBe((Lsn.Invalid, Lsn.Invalid));
                    continue;
                }

                write.Value.ShouldBe(received);
                flush.Value.ShouldBe(durable);
                flush.Value.ShouldBeGreaterThanOrEqualTo(last);
                last = flush.Value;
            }

            last.ShouldBe(durable < frontier ? 0 : highest);
        }
    }
}
