using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Backup;

/// <summary>Each way to a snapshot ends in a file that a server loads.</summary>
public sealed class SnapshotTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Theory]
    [InlineData("replication", "yes")]
    [InlineData("replication", "no")]
    [InlineData("bgsave", "yes")]
    [InlineData("scan", "yes")]
    public async Task Everything_comes_back(string method, string diskless)
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-diskless-sync", diskless);
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "all");
        if (method == "scan")
        {
            await client.DoAsync("ACL", "SETUSER", "managed", "on", ">secret", "~*", "+@all", "-psync", "-sync", "-replconf");
        }

        await using var agent = TestAgent.For(server.Port, store, options =>
        {
            options.Mode = RedisMode.Snapshot;
            options.Snapshot.Directory = method == "bgsave" ? server.Directory : null;
            (options.Username, options.Password) = method == "scan" ? ("managed", "secret") : (null, null);
        });
        var taken = RedisCatalog.Read(await agent.TakeAsync());

        taken.Details.Method.ShouldBe(method);
        taken.Details.Keys.ShouldBe((await client.InfoAsync()).Databases.Values.Sum());
        taken.Details.Functions.ShouldBe(1);
        taken.Details.Checksummed.ShouldBeTrue();
        await agent.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "no");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_saves_in_one_second_are_told_apart()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.For(server.Port, store, options =>
        {
            options.Mode = RedisMode.Snapshot;
            options.Snapshot.Directory = server.Directory;
        });
        await agent.TakeAsync();
        await client.DoAsync("SET", "later", "1");

        RedisCatalog.Read(await agent.TakeAsync()).Details.Keys.ShouldBe(1);
    }

    [Fact]
    public async Task A_save_that_fails_is_a_failure_and_no_wait_without_end()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--enable-protected-configs", "yes");
        await using var client = await RedisClient.ConnectAsync(server);
        await client.DoAsync("SET", "a", "1");
        await using var agent = TestAgent.For(server.Port, store, options =>
        {
            options.Mode = RedisMode.Snapshot;
            options.Snapshot.Directory = server.Directory;
        });

        // The server cannot make its temporary file: its directory is gone.
        using var elsewhere = new TemporaryDirectory();
        await client.DoAsync("CONFIG", "SET", "dir", elsewhere.Path);
        Directory.Delete(elsewhere.Path);

        (await Should.ThrowAsync<SourceException>(() => agent.TakeAsync())).Message.ShouldContain("BGSAVE failed");
        (await agent.Source.ListAsync(CancellationToken.None)).Backups.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_file_of_another_directory_is_not_taken_for_the_save()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        using var elsewhere = new TemporaryDirectory();
        await using var agent = TestAgent.For(server.Port, store, options =>
        {
            options.Mode = RedisMode.Snapshot;
            options.Snapshot.Directory = elsewhere.Path;
        });

        (await Should.ThrowAsync<SourceException>(() => agent.TakeAsync())).Message.ShouldContain("cannot be read");

        await using (var client = await RedisClient.ConnectAsync(server))
        {
            await client.DoAsync("SAVE");
            File.Copy(Path.Combine(server.Directory, "dump.rdb"), elsewhere["dump.rdb"]);
            var second = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
            await Eventually.TrueAsync(() => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() > second + 1, "two seconds pass");
        }

        (await Should.ThrowAsync<SourceException>(() => agent.TakeAsync())).Message.ShouldContain("older than the save");
    }

    [Theory]
    [InlineData("wrong password", "nobody", "wrong", "refused the password")]
    [InlineData("no rights", "weak", "secret", "+psync")]
    public async Task What_the_server_refuses_is_said_with_what_to_do(string what, string user, string password, string expected)
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await client.DoAsync("ACL", "SETUSER", "weak", "on", ">secret", "~*", "+ping", "+info", "+replconf");
        await using var agent = TestAgent.For(server.Port, store, options => (options.Username, options.Password) = (user, password));

        (await Should.ThrowAsync<SourceException>(() => agent.TakeAsync())).Message.ShouldContain(expected, customMessage: what);
    }
}
