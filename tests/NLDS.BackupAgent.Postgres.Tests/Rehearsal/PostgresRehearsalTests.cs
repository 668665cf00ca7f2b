using Npgsql;
using NLDS.BackupAgent.Postgres.Rehearsal;

namespace NLDS.BackupAgent.Postgres.Tests.Rehearsal;

public sealed class PostgresRehearsalTests
{
    [Theory]
    [InlineData("57P03", "the database system is starting up")]
    [InlineData("57P01", "terminating connection due to administrator command")]
    [InlineData("40001", "canceling statement due to conflict with recovery")]
    [InlineData("40P01", "deadlock detected")]
    public void A_server_that_does_not_answer_because_it_recovers_is_asked_again(string state, string words) =>
        PostgresRehearsal.Recovers(new PostgresException(words, "ERROR", "ERROR", state)).ShouldBeTrue();

    [Fact]
    public void A_server_that_is_not_there_yet_is_asked_again() => PostgresRehearsal.Recovers(new NpgsqlException("Failed to connect")).ShouldBeTrue();

    [Theory]
    [InlineData("28000", "role \"nlds_backup\" does not exist")]
    [InlineData("3D000", "database \"template1\" does not exist")]
    public void A_server_that_refuses_is_not_asked_again(string state, string words) =>
        PostgresRehearsal.Recovers(new PostgresException(words, "FATAL", "FATAL", state)).ShouldBeFalse();
}
