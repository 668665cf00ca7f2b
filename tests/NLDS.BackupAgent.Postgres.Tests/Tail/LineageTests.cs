using System.Security.Cryptography;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class LineageTests
{
    [Fact]
    public async Task Another_cluster_is_refused()
    {
        await using var first = await TestServers.StartAsync();
        await using var second = await TestServers.StartAsync();
        var store = await ArchiveOfAsync(first);
        var before = await ObjectsAsync(store);

        await using var agent = TestAgent.Start(second, store);

        (await agent.RefusalAsync()).IsPermanent.ShouldBeTrue();
        (await ObjectsAsync(store)).ShouldBe(before);
        agent.Status.State.ShouldBe("stopped");
    }

    [Fact]
    public async Task A_server_that_was_set_back_is_refused()
    {
        await using var server = await TestServers.StartAsync();
        await server.WriteAsync();
        await server.StopAsync();
        using var copy = new TemporaryDirectory();
        Copy(server.DataDirectory, copy["data"]);
        await server.StartAgainAsync();
        var store = await ArchiveOfAsync(server);
        var before = await ObjectsAsync(store);
        await server.StopAsync();

        await using var older = await PostgresServer.StartOnDirectoryAsync(copy["data"], 15);
        await using var agent = TestAgent.Start(older, store);

        var refusal = await agent.RefusalAsync();
        refusal.IsPermanent.ShouldBeTrue();
        refusal.Message.ShouldContain("set back");
        (await ObjectsAsync(store)).ShouldBe(before);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_clone_that_wrote_other_wal_is_refused_and_no_object_changes(bool archiveEndsWithSegment)
    {
        await using var server = await TestServers.StartAsync();
        await server.WriteAsync();
        await server.StopAsync();
        using var copy = new TemporaryDirectory();
        Copy(server.DataDirectory, copy["data"]);
        await server.StartAgainAsync();
        var store = await ArchiveOfAsync(server, archiveEndsWithSegment);
        var before = await ObjectsAsync(store);
        await server.StopAsync();

        await using var clone = await PostgresServer.StartOnDirectoryAsync(copy["data"], 15);
        await clone.WriteAsync(8000);
        await using var agent = TestAgent.Start(clone, store);

        (await agent.RefusalAsync()).IsPermanent.ShouldBeTrue();
        (await ObjectsAsync(store)).ShouldBe(before);
    }

    private static async Task<MemoryObjectStore> ArchiveOfAsync(PostgresServer server, bool endsWithSegment = false)
    {
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(server, store);
        await agent.UntilStreamingAsync();
        await server.WriteAsync(2500);
        if (endsWithSegment)
        {
            await server.ExecuteAsync("SELECT pg_switch_wal()");
        }

        await agent.UntilDurableAsync(await server.WalEndAsync());
        await agent.StopAsync();
        return store;
    }

    private static async Task<List<string>> ObjectsAsync(MemoryObjectStore store)
    {
        List<string> found = [];
        await foreach (var info in store.ListAsync("", null, TestContext.Current.CancellationToken))
        {
            // Whoever asks takes the lease and gives it back; that is no part of the archive.
            if (info.Key.Value.StartsWith("postgres/lease/", StringComparison.Ordinal))
            {
                continue;
            }

            await using var content = await store.OpenReadAsync(info.Key, 0, null, TestContext.Current.CancellationToken);
            found.Add($"{info.Key} {Convert.ToHexString(await SHA256.HashDataAsync(content, TestContext.Current.CancellationToken))}");
        }

        return found;
    }

    internal static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        }

        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "postmaster.pid"))
        {
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
        }
    }
}
