using Npgsql;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Torture.Postgres;

namespace NLDS.BackupAgent.Torture.Tests.Postgres;

public sealed class HeldLedgerTests
{
    private const string Whole = "UPDATE account SET balance = balance - 5 WHERE id = 1; UPDATE account SET balance = balance + 5 WHERE id = 2";

    [Fact]
    public async Task Whatever_no_moment_can_have_is_a_fault()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off", ["track_commit_timestamp"] = "on" },
        });
        await server.ExecuteAsync(HeldLedger.Schema);

        (await FaultAsync(server, $"{Insert(1)}; {Whole}")).ShouldBeNull();
        (await FaultAsync(server, $"{Insert(1)}; UPDATE account SET balance = balance - 5 WHERE id = 1")).ShouldNotBeNull().ShouldContain("sum");
        (await FaultAsync(server, Insert(1))).ShouldNotBeNull().ShouldContain("torn");
        (await FaultAsync(server, Whole)).ShouldNotBeNull().ShouldContain("torn");
        (await FaultAsync(server, $"{Insert(2)}; {Whole}")).ShouldNotBeNull().ShouldContain("1 was due");
        (await FaultAsync(server, $"{Insert(1)}; {Whole}; UPDATE transfer SET text = text || 'x'")).ShouldNotBeNull().ShouldContain("text");
        (await FaultAsync(server, $"{Insert(1)}; {Whole}; UPDATE transfer SET epoch = -1")).ShouldNotBeNull().ShouldContain("rolled back");
        (await FaultAsync(server, "DELETE FROM account WHERE id = 3; UPDATE account SET balance = balance + 1000 WHERE id = 4")).ShouldNotBeNull();
    }

    private static string Insert(int sequence) => $"INSERT INTO transfer VALUES (0, 0, {sequence}, 1, 2, 5, now(), md5('0 0 {sequence}'))";

    /// <summary>What is found within a transaction that is then rolled back.</summary>
    private static async Task<string?> FaultAsync(PostgresServer server, string sql)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using (var command = new NpgsqlCommand(sql, connection))
        {
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        return (await HeldLedger.ReadAsync(connection)).Fault;
    }
}
