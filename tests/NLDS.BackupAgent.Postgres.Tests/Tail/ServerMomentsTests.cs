using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class ServerMomentsTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private readonly ServerMoments moments = new();

    [Fact]
    public void The_first_message_proves_nothing()
    {
        Data(100, second: 0).ShouldBeNull();
        new ServerMoments().Observe(Message(WalMessageKind.Keepalive, 100, 0)).ShouldBeNull();
    }

    [Fact]
    public void Data_proves_the_moment_of_the_message_before_it()
    {
        Keepalive(100, second: 0);

        Data(200, second: 5).ShouldBe((new Lsn(200), Noon));
        Data(300, second: 6).ShouldBe((new Lsn(300), Noon.AddSeconds(5)));
    }

    [Fact]
    public void A_keepalive_after_data_does_not_prove_its_own_moment()
    {
        Data(200, second: 5);

        // The sender may have sent up to 200 long after the server wrote more.
        Keepalive(200, second: 9).ShouldBeNull();
    }

    [Fact]
    public void A_keepalive_proves_the_moment_of_the_one_before_it_when_nothing_came_between()
    {
        Keepalive(200, second: 0);

        Keepalive(200, second: 5).ShouldBe((new Lsn(200), Noon));
        Keepalive(200, second: 10).ShouldBe((new Lsn(200), Noon.AddSeconds(5)));
    }

    [Fact]
    public void Data_between_two_keepalives_makes_the_second_a_first_one()
    {
        Keepalive(200, second: 0);
        Data(300, second: 1);

        Keepalive(300, second: 5).ShouldBeNull();
        Keepalive(300, second: 10).ShouldBe((new Lsn(300), Noon.AddSeconds(5)));
    }

    [Fact]
    public void Keepalives_that_come_together_count_as_one()
    {
        Keepalive(200, second: 0);

        Keepalive(200, second: 0.0001).ShouldBeNull();
        Keepalive(200, second: 3).ShouldBe((new Lsn(200), Noon));
    }

    private (Lsn End, DateTimeOffset At)? Data(ulong end, double second) => moments.Observe(Message(WalMessageKind.Data, end, second));

    private (Lsn End, DateTimeOffset At)? Keepalive(ulong end, double second) => moments.Observe(Message(WalMessageKind.Keepalive, end, second));

    private static WalMessage Message(WalMessageKind kind, ulong end, double second) =>
        new() { Kind = kind, ServerEnd = new Lsn(end), SentAt = Noon.AddSeconds(second) };
}
