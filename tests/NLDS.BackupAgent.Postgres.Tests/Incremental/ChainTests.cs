using System.Text;
using Npgsql;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>Chains of incremental backups of real servers, restored.</summary>
public sealed class ChainTests
{
    /// <summary>What happens to a cluster before each backup of a chain; {0} to {2} are directories.</summary>
    private static readonly string[][] Life =
    [
        [
            "CREATE TABLESPACE stays LOCATION '{0}'",
            "CREATE TABLESPACE goes LOCATION '{1}'",
            "CREATE DATABASE goes_too",
            "CREATE TABLE grown (id int PRIMARY KEY, body text)",
            "INSERT INTO grown SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 20000) g",
            "CREATE TABLE emptied AS SELECT g AS id FROM generate_series(1, 50000) g",
            "CREATE TABLE shrunk AS SELECT g AS id, repeat('x', 500) AS body FROM generate_series(1, 20000) g",
            "CREATE TABLE dropped AS SELECT g AS id FROM generate_series(1, 50000) g",
            "CREATE UNLOGGED TABLE fleeting AS SELECT g AS id FROM generate_series(1, 5000) g",
            "CREATE TABLE apart TABLESPACE stays AS SELECT g AS id, md5(g::text) AS body FROM generate_series(1, 20000) g",
            "CREATE TABLE leaving TABLESPACE goes AS SELECT g AS id FROM generate_series(1, 5000) g",
        ],
        [
            "INSERT INTO grown SELECT g, md5(g::text) FROM generate_series(20001, 22000) g",
            "UPDATE grown SET body = reverse(body) WHERE id % 1000 = 7",
            "TRUNCATE emptied",
            "INSERT INTO emptied SELECT g FROM generate_series(1, 10) g",
            "DELETE FROM shrunk WHERE id > 5000",
            "VACUUM shrunk",
            "DROP TABLE dropped",
            "CREATE TABLE created AS SELECT g AS id, repeat('y', 300) AS body FROM generate_series(1, 10000) g",
            "CREATE DATABASE came",
            "ALTER TABLE leaving SET TABLESPACE pg_default",
            "DROP TABLESPACE goes",
            "DROP DATABASE goes_too",
            "CREATE TABLESPACE later LOCATION '{2}'",
            "CREATE TABLE there TABLESPACE later AS SELECT g AS id FROM generate_series(1, 20000) g",
            "UPDATE apart SET body = 'changed' WHERE id = 10000",
        ],
        [
            "INSERT INTO shrunk SELECT g, repeat('z', 500) FROM generate_series(5001, 15000) g",
            "CREATE INDEX ON grown (body)",
            "VACUUM FULL emptied",
            "DELETE FROM created WHERE id > 100",
            "VACUUM created",
            "DROP DATABASE came",
            "UPDATE there SET id = -id WHERE id = 7",
            "VACUUM (FREEZE) apart",
        ],
        [
            "UPDATE grown SET body = 'last' WHERE id = 1",
            "INSERT INTO created SELECT g, 'again' FROM generate_series(101, 5000) g",
        ],
    ];

    [Theory]
    [InlineData(17, null)]
    [InlineData(18, "bmxkcy1iYWNrdXAtYWdlbnQtdGVzdC1rZXktMzJieXQ=")]
    public async Task A_second_backup_after_one_percent_has_changed_takes_a_tenth_and_is_restored_whole(int major, string? key)
    {
        await using var server = await IncrementalServer.StartAsync(major);
        await server.ExecuteAsync("CREATE TABLE documents (id int PRIMARY KEY, body text) WITH (fillfactor = 90)");
        await server.ExecuteAsync("INSERT INTO documents SELECT g, md5(g::text) || md5((g + 1)::text) || md5((g + 2)::text) FROM generate_series(1, 200000) g");
        var store = new MemoryObjectStore();
        await using var agent = IncrementalServer.AgentFor(server, store, key: key);
        await agent.StartTailAsync();
        var full = await agent.BackUpAsync();
        await server.ExecuteAsync("UPDATE documents SET body = reverse(body) WHERE id BETWEEN 50001 AND 52000");

        var incremental = await agent.BackUpAsync();

        await agent.CatchUpAsync(server);
        await agent.StopTailAsync();
        var backups = await agent.Catalog.ListBackupsAsync(TestContext.Current.CancellationToken);
        backups.Select(b => (b.Sealed.Id.ToString(), b.Sealed.Parent)).ShouldBe([(full, null), (incremental, full)]);
        ((double)backups[1].Sealed.StoredBytes / backups[0].Sealed.StoredBytes).ShouldBeLessThanOrEqualTo(0.1);
        backups[1].Sealed.WholeBytes.ShouldBeInRange(backups[0].Sealed.ContentBytes * 9 / 10, backups[0].Sealed.ContentBytes * 11 / 10);
        using var directory = new TemporaryDirectory();
        (await agent.RestoreAsync(directory["data"])).BackupId.ShouldBe(incremental);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], major);
        (await ContentAsync(copy)).ShouldBe(await ContentAsync(server));
    }

    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    public async Task Every_backup_of_a_chain_is_restored_byte_for_byte_as_the_server_was(int major)
    {
        await using var server = await IncrementalServer.StartAsync(major);
        string[] directories =
            [await server.CreateServerDirectoryAsync("stays"), await server.CreateServerDirectoryAsync("goes"), await server.CreateServerDirectoryAsync("later")];
        var store = new MemoryObjectStore();
        await using var agent = IncrementalServer.AgentFor(server, store);
        await agent.StartTailAsync();
        var lived = new List<(string Backup, IReadOnlyDictionary<string, string> Content)>();
        foreach (var day in Life)
        {
            foreach (var statement in day)
            {
                await server.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, statement, directories));
            }

            lived.Add((await agent.BackUpAsync(), await ContentAsync(server)));
        }

        await agent.CatchUpAsync(server);
        await agent.StopTailAsync();
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        var backups = await agent.Catalog.ListBackupsAsync(TestContext.Current.CancellationToken);
        backups.Select(b => b.Sealed.Parent).ShouldBe([null, .. lived.Take(3).Select(l => l.Backup)]);
        var repository = new BackupRepository(store, new RepositoryOptions(), TimeProvider.System);
        foreach (var (backup, (id, content)) in backups.Zip(lived))
        {
            using var directory = new TemporaryDirectory();
            string[] moves = [.. backup.Details.Tablespaces.Select(t => $"{t.Location}={directory[t.Oid]}")];
            await agent.RestoreAsync(directory["data"], backup.End.ToString(), id, moves);
            var expected = await ReferenceCombination.CombineAsync(repository, backup);
            await RequireSameAsync(expected, directory["data"], backup.Details.Tablespaces.ToDictionary(t => t.Oid, t => directory[t.Oid]));
            await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], major);
            (await ContentAsync(copy)).ShouldBe(content, id);
        }
    }

    /// <summary>The restored files are those of the combination, with the same content; what a restore writes itself is not compared.</summary>
    private static async Task RequireSameAsync(Dictionary<string, byte[]> expected, string data, IReadOnlyDictionary<string, string> tablespaces)
    {
        var restored = new Dictionary<string, string>();
        foreach (var (prefix, root) in tablespaces.Select(t => ($"pg_tblspc/{t.Key}/", t.Value)).Prepend(("", data)))
        {
            foreach (var path in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories))
            {
                restored.Add(prefix + Path.GetRelativePath(root, path), path);
            }

            foreach (var path in Directory.EnumerateDirectories(root, "*", SearchOption.AllDirectories))
            {
                (File.GetUnixFileMode(path) & ~(UnixFileMode)0x1E8).ShouldBe(UnixFileMode.None, path);
            }
        }

        string[] own = ["postgresql.auto.conf", "recovery.signal", "tablespace_map", BackupLabel.FileName];
        restored.Keys.Where(name => !name.StartsWith("pg_wal/", StringComparison.Ordinal)).Except(own).ShouldBe(expected.Keys.Except(own), ignoreOrder: true);
        foreach (var (name, content) in expected.Where(file => !own.Contains(file.Key)))
        {
            (await File.ReadAllBytesAsync(restored[name])).AsSpan().SequenceEqual(content).ShouldBeTrue(name);
        }

        var label = await File.ReadAllTextAsync(restored[BackupLabel.FileName]);
        label.ShouldNotContain("INCREMENTAL");
        Encoding.UTF8.GetString(expected[BackupLabel.FileName]).Split('\n')
            .Where(line => !line.StartsWith("INCREMENTAL FROM", StringComparison.Ordinal)).ShouldBe(label.Split('\n'));
    }

    /// <summary>Every database's tables, each with a hash of its rows; unlogged ones are empty after every recovery.</summary>
    private static async Task<IReadOnlyDictionary<string, string>> ContentAsync(PostgresServer server)
    {
        await Eventually.TrueAsync(() => server.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the restored server promotes");
        var content = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var database in (await server.ScalarAsync<string>("SELECT string_agg(datname, ',') FROM pg_database WHERE datallowconn")).Split(','))
        {
            await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = database, Pooling = false }.ToString());
            await connection.OpenAsync();
            var tables = new List<string>();
            const string list = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relpersistence = 'p'";
            await using (var names = new NpgsqlCommand(list, connection))
            await using (var reader = await names.ExecuteReaderAsync())
            {
                while (await reader.ReadAsync())
                {
                    tables.Add(reader.GetString(0));
                }
            }

            content.Add(database, "");
            foreach (var table in tables)
            {
                await using var hash = new NpgsqlCommand($"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t", connection);
                content.Add($"{database}.{table}", (string)(await hash.ExecuteScalarAsync())!);
            }
        }

        return content;
    }
}
