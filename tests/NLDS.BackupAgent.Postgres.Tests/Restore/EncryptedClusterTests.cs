using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>Real clusters in repositories that nobody reads without the key.</summary>
public sealed class EncryptedClusterTests
{
    private const string Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    private const string NewKey = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=";

    private static readonly IReadOnlyDictionary<string, string> Unsafe = new Dictionary<string, string> { ["fsync"] = "off", ["autovacuum"] = "off" };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cluster_restores_on_another_machine_with_nothing_but_the_bucket_the_key_and_the_program()
    {
        using var directory = new TemporaryDirectory();
        var rows = await TakeAsync(directory["store"]);

        // Another machine: a copy of the bucket under another path, and processes that know nothing but the key.
        await HandTools.RunAsync(directory.Path, "cp -r store elsewhere && rm -r store");
        await using (var stranger = Agent.For(null, Open(directory["elsewhere"])))
        {
            (await stranger.Source.ListAsync(Cancelled)).Backups.Count.ShouldBe(1);
            (await Should.ThrowAsync<NotRestorableException>(() => stranger.PlanAsync(directory["data"]))).Message.ShouldContain("add it to Repository:Encryption:Key");
        }

        await using (var wrong = Agent.For(null, Open(directory["elsewhere"]), Keys(NewKey)))
        {
            (await Should.ThrowAsync<NotRestorableException>(() => wrong.PlanAsync(directory["data"]))).Message.ShouldContain("not configured (configured: ");
        }

        Directory.Exists(directory["data"]).ShouldBeFalse();
        await using var agent = Agent.For(null, Open(directory["elsewhere"]), Keys(Key));
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        await agent.RestoreAsync(directory["data"]);
        await using (var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15))
        {
            (await Ledger.LastAsync(copy)).ShouldBe(rows);
        }

        await RequireOpensByHandAsync(agent, directory);
        await RequireDamageIsNamedAsync(agent, directory["elsewhere"]);
    }

    [Fact]
    public async Task Encryption_turned_on_later_and_a_rotated_key_restore_from_every_backup_to_the_newest_row()
    {
        var store = new MemoryObjectStore();
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = Unsafe });
        await server.ExecuteAsync(Ledger.Create);
        var backups = new List<string>();
        foreach (var (keys, row) in new[] { (null, 1), (Key, 3), ($"{NewKey}\n{Key}", 5) })
        {
            await using var writer = Agent.For(server, store, Keys(keys));
            await writer.StartTailAsync();
            await Ledger.AppendAsync(server, row);
            backups.Add(await writer.BackUpAsync());
            await server.ExecuteAsync("SELECT pg_switch_wal()");
            await Ledger.AppendAsync(server, row + 1);
            await writer.CatchUpAsync(server);
        }

        // A tail that lost its key does not go on in the clear.
        await using (var forgetful = Agent.For(server, store))
        {
            (await Should.ThrowAsync<SourceException>(forgetful.StartTailAsync)).Message.ShouldContain("is encrypted with key");
        }

        await server.KillAsync();
        await using var agent = Agent.For(null, store, Keys($"{NewKey} {Key}"));
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        var inventory = await agent.InventoryAsync();
        inventory.Strange.ShouldBeEmpty();
        inventory.Pieces.Select(p => p.IsEncrypted).Distinct().Count().ShouldBe(2);
        using var directory = new TemporaryDirectory();
        foreach (var backup in backups)
        {
            (await agent.RestoreAsync(directory[backup], backup: backup)).BackupId.ShouldBe(backup);
            await using var copy = await PostgresServer.StartOnDirectoryAsync(directory[backup], 15);
            (await Ledger.LastAsync(copy)).ShouldBe(6);
        }
    }

    /// <summary>A server that is killed after its last row is durable, in a directory; returns that row.</summary>
    private static async Task<int> TakeAsync(string store)
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = Unsafe });
        await server.ExecuteAsync(Ledger.Create);
        await using var agent = Agent.For(server, Open(store), Keys(Key));
        await agent.StartTailAsync();
        await Ledger.AppendAsync(server, 1);
        await agent.BackUpAsync();
        for (var row = 2; row <= 5; row++)
        {
            await Ledger.AppendAsync(server, row);
            await server.ExecuteAsync("SELECT pg_switch_wal()");
        }

        await Ledger.AppendAsync(server, 6);
        await agent.CatchUpAsync(server);
        await agent.StopTailAsync();
        await server.KillAsync();
        return 6;
    }

    /// <summary>Everything in the bucket, by <c>docs/decrypt.py</c> and the codec's own tool: it is what this program reads.</summary>
    private static async Task RequireOpensByHandAsync(Agent agent, TemporaryDirectory directory)
    {
        await File.WriteAllTextAsync(directory["key"], Key, Cancelled);
        var script = Path.Combine(Checkout.Root, "docs", "decrypt.py");
        var log = await agent.LogAsync();
        var pieces = (await agent.InventoryAsync()).Pieces;
        pieces.Select(p => p.IsSegment).Distinct().Count().ShouldBe(2);
        foreach (var piece in pieces)
        {
            using var content = new MemoryStream();
            await log.CopyAsync(piece, content, Cancelled);
            (await HandTools.RunAsync(directory.Path, $"python3 {script} key elsewhere {piece.Key} | zstd -dc")).AsSpan().SequenceEqual(content.ToArray()).ShouldBeTrue(piece.Name);
        }

        var whole = pieces.First(p => p.IsSegment);
        var segment = WalSegment.Holding(new Lsn(whole.Range.Start), 1, new WalSegmentSize(1 << 20));
        (await agent.Fetcher.FetchAsync(segment.Name, directory["fetched"], Cancelled)).ShouldBeTrue();
        await HandTools.RunAsync(directory.Path, $"""
            backup=$(cd elsewhere && ls -d postgres/full/*/)
            mkdir by-hand
            python3 {script} key elsewhere "$backup"base.tar.zst.enc | zstd -dc | tar -x -C by-hand
            python3 {script} key elsewhere "$backup"backup_manifest.enc >by-hand/backup_manifest
            python3 {script} key elsewhere "$backup"manifest.json
            /usr/lib/postgresql/15/bin/pg_verifybackup --no-parse-wal by-hand
            python3 {script} key elsewhere {whole.Key} | zstd -dc | cmp - fetched
            """);
    }

    /// <summary>One flipped bit in the middle of each object of the backup and the log, one after the other.</summary>
    private static async Task RequireDamageIsNamedAsync(Agent agent, string store)
    {
        foreach (var path in Directory.GetFiles(store, "*.enc", SearchOption.AllDirectories))
        {
            var sound = await File.ReadAllBytesAsync(path, Cancelled);
            var damaged = sound.ToArray();
            damaged[damaged.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(path, damaged, Cancelled);
            (await agent.VerifyAsync()).Damage.ShouldContain(d => d.Subject == Path.GetRelativePath(store, path) || d.What.Contains(Path.GetRelativePath(store, path)), path);
            await File.WriteAllBytesAsync(path, sound, Cancelled);
        }

        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    private static IObjectStore Open(string path) =>
        ObjectStores.Open(new StorageOptions { Directory = { Path = path } }, NullLoggerFactory.Instance, meters: null, TimeProvider.System);

    private static Dictionary<string, string?> Keys(string? keys) => new() { ["Repository:Encryption:Key"] = keys };
}
