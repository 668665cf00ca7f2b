using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Lineage;

/// <summary>A copy is not the original, whoever points an agent at it and whoever is gone.</summary>
public sealed class AdoptionTests : IDisposable
{
    private static readonly string[] Settings = ["--save", "", "--appendonly", "yes"];

    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => targets.Dispose();

    [Theory]
    [InlineData("yes")]
    [InlineData("no")]
    public async Task A_restored_server_writes_only_when_it_is_adopted_and_then_the_original_does_not(string appendOnly)
    {
        await using var original = await RedisServer.StartAsync(Settings);
        await using var first = await RedisClient.ConnectAsync(original);
        await ArchiveAsync(original, first);
        await RestoreAsync(targets["copy"]);
        await using var copy = await RedisServer.StartInAsync(targets["copy"], "--save", "", "--appendonly", appendOnly);
        await using var second = await RedisClient.ConnectAsync(copy);

        // As it is, the copy is refused, although the original's agent is gone; no object changes, and the server is not asked for anything.
        var before = await ObjectsAsync();
        await using (var agent = TestAgent.Start(copy.Port, store))
        {
            var refusal = await agent.RefusalAsync();
            refusal.IsPermanent.ShouldBeTrue();
            refusal.Message.ShouldContain("--adopt");
            (await Should.ThrowAsync<SourceException>(agent.TakeAsync)).Message.ShouldContain("--adopt");
        }

        (await ObjectsAsync()).ShouldBe(before);
        (await second.InfoAsync())["sync_full"].ShouldBe("0");

        // The original goes on meanwhile, and then it does not any more.
        await WriteAsync(original, first, "original", "2");
        await WriteAsync(copy, second, "copy", "3", new AdoptionConsent(toAny: true));
        await WriteAsync(copy, second, "copy again", "4");
        await using (var agent = TestAgent.Start(original.Port, store))
        {
            (await agent.RefusalAsync()).Message.ShouldContain("has another history than the archive");
            (await Should.ThrowAsync<SourceException>(agent.TakeAsync)).Message.ShouldContain("--adopt");
        }

        // What is restored now is the copy's way.
        await RestoreAsync(targets["again"]);
        await using var again = await RedisServer.StartInAsync(targets["again"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(again);
        (await look.ContentAsync()).ShouldBe(await second.ContentAsync());
    }

    [Fact]
    public async Task A_copy_in_the_place_of_the_original_is_a_copy_still()
    {
        await using var original = await RedisServer.StartAsync(Settings);
        await using (var client = await RedisClient.ConnectAsync(original))
        {
            await ArchiveAsync(original, client);
        }

        await ReplaceByCopyAsync(original, takesPlace: false);
        await using (var agent = TestAgent.Start(original.Port, store))
        {
            (await agent.RefusalAsync()).Message.ShouldContain("was restored from a backup");
        }

        // It is one after a restart as well; and once adopted it is known over every restart.
        await original.KillAsync();
        await original.StartAgainAsync(Settings);
        string run;
        await using (var client = await RedisClient.ConnectAsync(original))
        {
            run = (await client.InfoAsync())["run_id"]!;
        }

        await using (var agent = TestAgent.Start(original.Port, store, consent: new AdoptionConsent(toAny: false, new string('0', 40))))
        {
            (await agent.RefusalAsync()).Message.ShouldContain(run);
        }

        await using (var agent = TestAgent.Start(original.Port, store, consent: new AdoptionConsent(toAny: false, run)))
        {
            await agent.UntilStreamingAsync();
        }

        await original.KillAsync();
        await original.StartAgainAsync(Settings);
        await using var last = TestAgent.Start(original.Port, store);
        await last.UntilStreamingAsync();
    }

    [Fact]
    public async Task What_was_restored_to_take_the_originals_place_goes_on_without_a_word()
    {
        await using var server = await RedisServer.StartAsync(Settings);
        await using (var client = await RedisClient.ConnectAsync(server))
        {
            await ArchiveAsync(server, client);
        }

        await ReplaceByCopyAsync(server, takesPlace: true);
        for (var life = 0; life < 2; life++)
        {
            await using (var client = await RedisClient.ConnectAsync(server))
            {
                await WriteAsync(server, client, $"life {life}", "1");
            }

            await server.KillAsync();
            await server.StartAgainAsync(Settings);
        }

        // And again, from what it has written since.
        await ReplaceByCopyAsync(server, takesPlace: true);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await using var look = await RedisClient.ConnectAsync(server);
        (await look.ContentAsync()).ShouldContain("life 1");
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("no")]
    public async Task In_another_place_it_takes_the_originals_unless_that_has_written_since(string appendOnly)
    {
        await using var original = await RedisServer.StartAsync(Settings);
        await using var client = await RedisClient.ConnectAsync(original);
        await ArchiveAsync(original, client);
        await RestoreAsync(targets["late"], takesPlace: true);
        await WriteAsync(original, client, "since", "1");
        await using (var late = await RedisServer.StartInAsync(targets["late"], "--save", "", "--appendonly", appendOnly))
        {
            await using var agent = TestAgent.Start(late.Port, store);
            (await agent.RefusalAsync()).Message.ShouldContain(appendOnly == "yes" ? "the archive has gone on since" : "another history");
        }

        await RestoreAsync(targets["new"], takesPlace: true);
        await original.KillAsync();
        await using var heir = await RedisServer.StartInAsync(targets["new"], "--save", "", "--appendonly", appendOnly);
        await using var look = await RedisClient.ConnectAsync(heir);
        await WriteAsync(heir, look, "heir", "1");
        (await look.ContentAsync()).ShouldContain("since");
    }

    [Fact]
    public async Task A_second_environment_with_the_same_names_never_takes_the_place_of_an_original_that_lived_on()
    {
        await using var original = await RedisServer.StartAsync(Settings);
        await using (var client = await RedisClient.ConnectAsync(original))
        {
            await ArchiveAsync(original, client);
            await RestoreAsync(targets["second"], takesPlace: true);
            await WriteAsync(original, client, "since", "1");
        }

        // Address, directory and instance are what they were; only the mark tells.
        await original.KillAsync();
        Directory.Delete(original.Directory, recursive: true);
        Directory.Move(targets["second"], original.Directory);
        await original.StartAgainAsync(Settings);

        await using var agent = TestAgent.Start(original.Port, store);
        (await agent.RefusalAsync()).Message.ShouldContain("the archive has gone on since");
    }

    [Fact]
    public async Task Another_agent_beside_another_server_is_refused_and_the_same_server_behind_another_agent_is_not()
    {
        await using var server = await RedisServer.StartAsync(Settings);
        await using var client = await RedisClient.ConnectAsync(server);
        await ArchiveAsync(server, client);
        await using (var moved = TestAgent.Start(server.Port, store, instance: "redis-1"))
        {
            await moved.UntilStreamingAsync();
            await moved.StopAsync();
        }

        // 127.0.0.1 means another server on another machine.
        await server.KillAsync();
        await server.StartAgainAsync(Settings);
        await using (var agent = TestAgent.Start(server.Port, store, instance: "redis-2"))
        {
            (await agent.RefusalAsync()).Message.ShouldContain("beside agent redis-2");
        }

        await using var back = TestAgent.Start(server.Port, store, instance: "redis-1");
        await back.UntilStreamingAsync();
    }

    [Fact]
    public async Task A_copy_of_a_base_alone_does_not_pass_for_a_promoted_replica()
    {
        await using var original = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(original);
        await client.DoAsync("SET", "a", "1");
        await using (var agent = TestAgent.Start(original.Port, store))
        {
            await agent.UntilStreamingAsync();
            await agent.StopAsync();
        }

        await original.KillAsync();
        await RestoreAsync(targets["copy"]);
        await using var copy = await RedisServer.StartInAsync(targets["copy"], "--save", "", "--appendonly", "no");
        await using var look = await RedisClient.ConnectAsync(copy);
        (await look.DoAsync("GET", "a")).Text.ShouldBe("1");
        (await look.InfoAsync())["master_replid2"]!.ShouldBe(new string('0', 40));

        await using var other = TestAgent.Start(copy.Port, store);
        (await other.RefusalAsync()).Message.ShouldContain("--adopt");
    }

    [Fact]
    public async Task A_copy_cannot_be_adopted_while_the_originals_agent_writes()
    {
        await using var original = await RedisServer.StartAsync(Settings);
        await using var client = await RedisClient.ConnectAsync(original);
        await using var writing = TestAgent.Start(original.Port, store);
        await writing.UntilStreamingAsync();
        await RestoreAsync(targets["copy"]);
        await using var copy = await RedisServer.StartInAsync(targets["copy"], Settings);

        await using var agent = TestAgent.Start(copy.Port, store, consent: new AdoptionConsent(toAny: true));
        (await agent.RefusalAsync()).Message.ShouldContain("Another agent");
        (await Should.ThrowAsync<SourceException>(agent.TakeAsync)).Message.ShouldContain("Another agent");

        await client.DoAsync("SET", "still", "1");
        (await client.WaitAsync()).ShouldBe(1);
        (await writing.Source.ListAsync(Token)).Backups.Count.ShouldBe(1);
    }

    [Fact]
    public async Task In_mode_Snapshot_a_copy_is_refused_too_and_adopted_by_one_backup()
    {
        static void Snapshot(RedisOptions options) => options.Mode = RedisMode.Snapshot;
        await using var original = await RedisServer.StartAsync(Settings);
        await using (var agent = TestAgent.For(original.Port, store, Snapshot))
        {
            await agent.TakeAsync();
        }

        await original.KillAsync();
        await original.StartAgainAsync(Settings);
        await using (var agent = TestAgent.For(original.Port, store, Snapshot))
        {
            await agent.TakeAsync();
        }

        await RestoreAsync(targets["copy"]);
        await using var copy = await RedisServer.StartInAsync(targets["copy"], Settings);
        await using (var agent = TestAgent.For(copy.Port, store, Snapshot))
        {
            (await Should.ThrowAsync<SourceException>(agent.TakeAsync)).Message.ShouldContain("--adopt");
        }

        await using (var agent = TestAgent.For(copy.Port, store, Snapshot, consent: new AdoptionConsent(toAny: true)))
        {
            await agent.TakeAsync();
        }

        await using var later = TestAgent.For(copy.Port, store, Snapshot);
        await later.TakeAsync();
        await using var left = TestAgent.For(original.Port, store, Snapshot);
        (await Should.ThrowAsync<SourceException>(left.TakeAsync)).Message.ShouldContain("--adopt");
    }

    private async Task ArchiveAsync(RedisServer server, RedisClient client)
    {
        await client.DoAsync("SET", "archived", "1");
        await WriteAsync(server, client, "first", "1");
    }

    /// <summary>An agent's life, in which something is written and confirmed.</summary>
    private async Task WriteAsync(RedisServer server, RedisClient client, string key, string value, AdoptionConsent? consent = null)
    {
        await using var agent = TestAgent.Start(server.Port, store, consent: consent);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", key, value);
        (await client.WaitAsync()).ShouldBe(1);
        await agent.StopAsync();
    }

    private async Task RestoreAsync(string directory, bool takesPlace = false)
    {
        await using var agent = TestAgent.For(1, store);
        await agent.RestoreAsync(directory, takesPlace: takesPlace);
    }

    private async Task ReplaceByCopyAsync(RedisServer server, bool takesPlace)
    {
        await server.KillAsync();
        await RestoreAsync(targets["replacement"], takesPlace);
        Directory.Delete(server.Directory, recursive: true);
        Directory.Move(targets["replacement"], server.Directory);
        await server.StartAgainAsync(Settings);
    }

    private async Task<List<string>> ObjectsAsync()
    {
        List<string> found = [];
        await foreach (var info in store.ListAsync("", null, Token))
        {
            // Whoever asks takes the lease and gives it back; that is no part of the archive.
            if (!info.Key.Value.StartsWith("redis/lease/", StringComparison.Ordinal))
            {
                await using var content = await store.OpenReadAsync(info.Key, 0, null, Token);
                found.Add($"{info.Key} {Convert.ToHexString(await SHA256.HashDataAsync(content, Token))}");
            }
        }

        return found;
    }
}
