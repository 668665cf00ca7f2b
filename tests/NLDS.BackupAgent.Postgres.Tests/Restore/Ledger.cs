using System.Globalization;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>A table whose rows count up, one commit each: what is in a restored one tells where its recovery stopped.</summary>
internal static class Ledger
{
    public const string Create = "CREATE TABLE ledger (entry int PRIMARY KEY, filler text)";

    public static Task AppendAsync(PostgresServer server, int entry) =>
        server.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"INSERT INTO ledger VALUES ({entry}, repeat('x', 200))"));

    /// <summary>When the row was committed, by the server's clock.</summary>
    public static async Task<DateTimeOffset> CommitTimeAsync(PostgresServer server, int entry) =>
        await server.ScalarAsync<DateTime>(string.Create(CultureInfo.InvariantCulture, $"SELECT pg_xact_commit_timestamp(xmin) FROM ledger WHERE entry = {entry}"));

    /// <summary>The last row of a server that has ended its recovery; fails when a row before it is missing.</summary>
    public static async Task<int> LastAsync(PostgresServer server)
    {
        await Eventually.TrueAsync(() => server.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the restored server promotes");
        (await server.ScalarAsync<bool>("SELECT count(*) = max(entry) AND min(entry) = 1 FROM ledger")).ShouldBeTrue();
        return await server.ScalarAsync<int>("SELECT max(entry) FROM ledger");
    }
}
