using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>A verb of a Redis that has some keys, in a directory store.</summary>
internal abstract class RedisVerb(RedisServer server, params IEnumerable<(string Name, string Value)> settings) : CrashedVerb(
    [("Postgres__Enabled", "false"), ("Redis__Host", "127.0.0.1"), ("Redis__Port", $"{server.Port}"), ("Agent__Instance", "redis-0"), .. settings])
{
    /// <summary>A server on what was restored, in a copy of it, has all the keys.</summary>
    protected async Task RequireKeysAsync(string appendOnly, bool orRefused = false)
    {
        var copy = Work["started"];
        Remove(copy);
        await CopyAsync(Target, copy);
        RedisServer restored;
        try
        {
            restored = await RedisServer.StartInAsync(copy, "--appendonly", appendOnly);
        }
        catch (InvalidOperationException) when (orRefused)
        {
            return;
        }

        await using (restored)
        {
            (await DigestAsync(restored)).ShouldBe(await DigestAsync(server));
        }
    }

    protected async Task RequireRestorableAsync()
    {
        await RestoreAsync();
        await RequireKeysAsync("yes");
    }

    protected Task RestoreAsync()
    {
        Remove(Target);
        return Agent.RunAsync("restore", "redis", "--target-directory", Target);
    }

    private static Task<string> DigestAsync(RedisServer server) => CrashedServers.RedisAsync(server, "DEBUG", "DIGEST");
}

/// <summary>The first copy of a store.</summary>
internal sealed class BackupRedis(RedisServer server) : RedisVerb(server)
{
    protected override IReadOnlyList<string> Words { get; } = ["backup", "redis"];

    protected override Task RequireDoneAsync() => RequireRestorableAsync();
}

/// <summary>A restore into a directory that is not there.</summary>
internal sealed class RestoreRedis(RedisServer server) : RedisVerb(server)
{
    protected override IReadOnlyList<string> Words => ["restore", "redis", "--target-directory", Target];

    protected override Task PrepareAsync() => PrepareBackupAsync("redis");

    private string Manifest => Path.Combine(Target, "appendonlydir/appendonly.aof.manifest");

    protected override async Task RequireUnbrokenAsync()
    {
        // Before its last refusal lies there nothing does: a server starts as empty as it would have before the restore.
        if (File.Exists(Manifest))
        {
            await RequireKeysAsync("yes", orRefused: true);
            await RequireKeysAsync("no", orRefused: true);
        }
    }

    /// <summary>With a true manifest it lacked nothing but its last words: a server may have run there since, so the verb says that the directory is not empty.</summary>
    protected override async Task RunAgainAsync()
    {
        if (!File.Exists(Manifest) || (await File.ReadAllTextAsync(Manifest)).StartsWith("REDIS9999", StringComparison.Ordinal) || new FileInfo(Manifest).Length == 0)
        {
            await base.RunAgainAsync();
        }
    }

    protected override async Task RequireDoneAsync()
    {
        await RequireKeysAsync("yes");
        await RequireKeysAsync("no");
    }
}

/// <summary>A prune of the older of two copies.</summary>
internal sealed class PruneRedis(RedisServer server) : RedisVerb(
    server,
    [("Redis__Retention__KeepLast", "1"), ("Redis__Retention__KeepWithin", "00:00:00"), ("Redis__Retention__RecoveryWindow", "00:00:00")])
{
    private string newest = "";

    protected override IReadOnlyList<string> Words { get; } = ["prune", "redis", "--allow-large"];

    protected override Task PrepareAsync() => PrepareFromAsync("two-copies", async () => newest = await Agent.TakeTwoAsync("redis"));

    protected override Task RequireUnbrokenAsync() => Agent.RunAsync("restore", "redis", "--target-directory", Target, "--plan");

    protected override async Task RequireDoneAsync()
    {
        (await Agent.BackupsAsync("redis")).ShouldBe([newest]);
        await RequireRestorableAsync();
    }
}

/// <summary>A drill on this machine.</summary>
internal sealed class DrillRedis(RedisServer server) : RedisVerb(server)
{
    protected override IReadOnlyList<string> Words { get; } = ["drill", "redis"];

    protected override Task PrepareAsync() => PrepareBackupAsync("redis");

    protected override Task RequireDoneAsync()
    {
        RequireDrilled();
        return RequireRestorableAsync();
    }
}
