using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>What a protected server tells behind a restore.</summary>
public sealed class RecoveredServerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_replays_tells_how_much_is_left_and_one_that_is_away_is_waited_for()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off" } });
        await using var agent = Agent.For(server, new MemoryObjectStore());
        (await agent.Source.LookAtServerAsync(Token)).ShouldBe(new ServerState(true, "PostgreSQL has recovered and takes writes.", 0));

        await server.StopAsync();
        (await agent.Source.LookAtServerAsync(Token)).IsReady.ShouldBeFalse();

        // It waits for a log that does not come.
        await File.AppendAllTextAsync(Path.Combine(server.DataDirectory, "postgresql.conf"), "\nrecovery_target_lsn = 'F/0'\nrestore_command = 'false'\n", Token);
        await File.WriteAllTextAsync(Path.Combine(server.DataDirectory, "standby.signal"), "", Token);
        await server.StartAgainAsync();
        await Eventually.TrueAsync(async () => (await agent.Source.LookAtServerAsync(Token)).BytesLeft is not null, "it can be asked");

        var state = await agent.Source.LookAtServerAsync(Token);
        (state.IsReady, state.BytesLeft > 14L << 32).ShouldBe((false, true), state.ToString());
        state.Words.ShouldEndWith("of F/0.");
    }

    [Fact]
    public async Task A_server_that_will_not_tell_is_not_waited_for()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var agent = Agent.For(server, new MemoryObjectStore(), new Dictionary<string, string?> { ["Postgres:Password"] = "another" });

        (await Should.ThrowAsync<SourceException>(() => agent.Source.LookAtServerAsync(Token))).IsPermanent.ShouldBeTrue();
    }

    [Theory]
    [InlineData("SELECT count(*) FROM secrets", "may not ask 'SELECT count(*) FROM secrets'")]
    [InlineData("SELECT count(*) FROM nowhere", "does not understand 'SELECT count(*) FROM nowhere'")]
    public async Task A_question_that_cannot_be_asked_is_named_with_what_to_do(string question, string words)
    {
        await using var server = await PostgresServer.StartAsync();
        await using var agent = Agent.For(server, new MemoryObjectStore());
        await server.ExecuteAsync("CREATE TABLE secrets (entry int)");

        (await Should.ThrowAsync<SourceException>(() => agent.Source.AskServerAsync(question, Token))).Message.ShouldContain(words);
    }

    [Fact]
    public async Task Damage_is_found_where_amcheck_is_and_otherwise_it_is_said_that_nobody_looked()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off" } });
        await using var agent = Agent.For(server, new MemoryObjectStore());
        await server.ExecuteAsync("CREATE TABLE ledger AS SELECT md5(i::text) AS entry FROM generate_series(1, 2000) i; CREATE INDEX ledger_entry ON ledger (entry)");
        await ShouldBeAsync(ProofVerdict.NotLooked, "postgres: it does not have the extension amcheck.");

        await server.ExecuteAsync("CREATE SCHEMA checks; CREATE EXTENSION amcheck SCHEMA checks");
        await ShouldBeAsync(ProofVerdict.NotLooked, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checks");

        await server.ExecuteAsync($"GRANT USAGE ON SCHEMA checks TO {PostgresServer.BackupRole}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA checks TO {PostgresServer.BackupRole}");
        await ShouldBeAsync(ProofVerdict.Proven, "all of them sound");

        var index = Path.Combine(server.DataDirectory, await server.ScalarAsync<string>("SELECT pg_relation_filepath('ledger_entry')"));
        await server.StopAsync();
        await using (var file = File.Open(index, FileMode.Open, FileAccess.ReadWrite))
        {
            // Two line pointers of the first leaf change places, and with them the order of two entries.
            var pointers = new byte[8];
            file.Position = 8192 + 24 + 4;
            await file.ReadExactlyAsync(pointers, Token);
            file.Position -= pointers.Length;
            await file.WriteAsync((byte[])[.. pointers[4..], .. pointers[..4]], Token);
        }

        await server.StartAgainAsync();
        await ShouldBeAsync(ProofVerdict.Failed, "ledger_entry");

        async Task ShouldBeAsync(ProofVerdict verdict, string words)
        {
            var proof = (await agent.Source.ProveServerAsync(TimeSpan.FromMinutes(1), Token)).Single(proof => proof.What == "heaps and B-trees");
            (proof.Verdict, proof.Words.Contains(words, StringComparison.Ordinal)).ShouldBe((verdict, true), proof.Words);
        }
    }
}
