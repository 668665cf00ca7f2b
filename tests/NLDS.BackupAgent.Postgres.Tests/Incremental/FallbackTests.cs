using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>When an incremental backup is wanted and cannot be, a full one is taken in the same run, and the log says why.</summary>
public sealed class FallbackTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly CollectedLog log = new();

    public void Dispose() => log.Dispose();

    [Theory]
    [InlineData(14)]
    [InlineData(16)]
    public async Task A_server_that_has_none_is_backed_up_whole(int major)
    {
        await using var server = await IncrementalServer.StartAsync(major);

        await RequireFullAsync(server, () => Task.CompletedTask, $"PostgreSQL {major} takes no incremental backups");
    }

    [Fact]
    public async Task A_server_that_does_not_note_what_changes_is_backed_up_whole()
    {
        await using var server = await IncrementalServer.StartAsync(17, ("summarize_wal", "off"));

        await RequireFullAsync(server, () => Task.CompletedTask, "summarize_wal is off");
    }

    [Fact]
    public async Task Without_the_servers_notes_of_what_changed_the_backup_is_a_full_one()
    {
        await using var server = await IncrementalServer.StartAsync(17, ("wal_keep_size", "0"));

        await RequireFullAsync(
            server,
            async () =>
            {
                await SummarizeAsync(server, "off");
                await using (var tailing = IncrementalServer.AgentFor(server, store))
                {
                    await tailing.StartTailAsync();
                    for (var segment = 0; segment < 3; segment++)
                    {
                        await server.ExecuteAsync("SELECT pg_logical_emit_message(false, 'ballast', repeat('x', 1000000))");
                        await tailing.CatchUpAsync(server);
                    }
                }

                // The log of the first backup goes, so that the server cannot look again.
                var first = await server.ScalarAsync<string>("SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'");
                await server.ExecuteAsync("CHECKPOINT");
                (await server.ScalarAsync<string>("SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'")).ShouldNotBe(first);
                Directory.EnumerateFiles(Path.Combine(server.DataDirectory, "pg_wal", "summaries")).ToList().ForEach(File.Delete);
                await SummarizeAsync(server, "on");
            },
            "WAL summaries are required");
    }

    [Fact]
    public async Task Without_an_object_of_the_backup_before_it_the_backup_is_a_full_one()
    {
        await using var server = await IncrementalServer.StartAsync(17);

        await RequireFullAsync(server, () => store.RemoveAsync(ObjectOf("base.tar.zst")), "is missing from");
    }

    [Fact]
    public async Task With_a_damaged_manifest_of_the_server_the_backup_is_a_full_one()
    {
        await using var server = await IncrementalServer.StartAsync(17);

        await RequireFullAsync(server, () => store.FlipAsync(ObjectOf("backup_manifest")), "backup_manifest");
    }

    [Fact]
    public async Task On_another_timeline_the_backup_is_a_full_one()
    {
        await using var server = await IncrementalServer.StartAsync(17);

        await RequireFullAsync(
            server,
            async () =>
            {
                await server.StopAsync();
                await File.WriteAllTextAsync(Path.Combine(server.DataDirectory, "standby.signal"), "");
                await server.StartAgainAsync();
                await server.PromoteAsync();
            },
            "the server is on 2");
    }

    [Fact]
    public async Task After_so_many_the_next_is_a_full_one_again()
    {
        await using var server = await IncrementalServer.StartAsync(17);
        await using var agent = IncrementalServer.AgentFor(server, store, fullEvery: 3, log);
        await agent.StartTailAsync();
        for (var i = 0; i < 5; i++)
        {
            await agent.BackUpAsync();
        }

        var backups = await agent.Catalog.ListBackupsAsync(TestContext.Current.CancellationToken);
        backups.Select(b => b.Chain.Count).ShouldBe([1, 2, 3, 1, 2]);
        log.Lines.ShouldContain(line => line.Contains("is a full one: it is the turn of one", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Unasked_for_every_backup_is_a_full_one_without_a_word()
    {
        await using var server = await IncrementalServer.StartAsync(17);
        await using var agent = Agent.For(server, store, log: log);
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await agent.BackUpAsync();

        (await agent.Catalog.ListBackupsAsync(TestContext.Current.CancellationToken)).ShouldAllBe(b => b.Sealed.Parent == null && b.Sealed.Manifest.Format == 1);
        log.Lines.ShouldNotContain(line => line.Contains("is a full one", StringComparison.Ordinal));
    }

    private static async Task SummarizeAsync(PostgresServer server, string setting)
    {
        await server.ExecuteAsync($"ALTER SYSTEM SET summarize_wal = {setting}");
        await server.ExecuteAsync("SELECT pg_reload_conf()");
        var isRunning = setting == "on" ? "true" : "false";
        await Eventually.TrueAsync(
            () => server.ScalarAsync<bool>(
                $"SELECT current_setting('summarize_wal') = '{setting}' AND {isRunning} = EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'walsummarizer')"),
            $"the server's summarize_wal is {setting}");
    }

    /// <summary>Takes a backup, lets something happen, and takes another one.</summary>
    private async Task RequireFullAsync(PostgresServer server, Func<Task> happens, string why)
    {
        await server.ExecuteAsync(Ledger.Create);
        await Ledger.AppendAsync(server, 1);
        await using (var before = IncrementalServer.AgentFor(server, store))
        {
            await before.StartTailAsync();
            await before.BackUpAsync();
            await before.CatchUpAsync(server);
        }

        await happens();

        await using var agent = IncrementalServer.AgentFor(server, store, log: log);
        await agent.StartTailAsync();
        await Ledger.AppendAsync(server, 2);
        var second = await agent.BackUpAsync();
        await agent.CatchUpAsync(server);
        await agent.StopTailAsync();
        var backup = (await agent.Catalog.ListBackupsAsync(TestContext.Current.CancellationToken))[^1];
        (backup.Sealed.Id.ToString(), backup.Sealed.Parent, backup.Details.Incremental).ShouldBe((second, null, null));
        log.Lines.ShouldContain(line => line.Contains("is a full one: ", StringComparison.Ordinal) && line.Contains(why, StringComparison.Ordinal), string.Join('\n', log.Lines));
        using var directory = new TemporaryDirectory();
        (await agent.PlanAsync(directory["data"])).BackupId.ShouldBe(second);
    }

    private ObjectKey ObjectOf(string name) => store.ListAsync("postgres/full/").GetAwaiter().GetResult().Single(entry => entry.Key.Name == name).Key;
}
