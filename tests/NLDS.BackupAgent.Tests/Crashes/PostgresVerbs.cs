using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>A verb of a PostgreSQL server that has a table, in a directory store.</summary>
internal abstract class PostgresVerb(PostgresServer server, params IEnumerable<(string Name, string Value)> settings) : CrashedVerb(
    [
        ("Redis__Enabled", "false"), ("Postgres__Host", server.Host), ("Postgres__Port", $"{server.Port}"), ("Postgres__Username", PostgresServer.BackupRole),
        ("Postgres__Password", PostgresServer.BackupPassword), ("Postgres__SslMode", "disable"), .. settings,
    ])
{
    protected PostgresServer Server { get; } = server;

    /// <summary>A restore has the table, byte for byte.</summary>
    protected async Task RequireRestorableAsync()
    {
        Remove(Target);
        await Agent.RunAsync("restore", "postgres", "--target-directory", Target);
        await RequireTableAsync();
    }

    protected async Task RequireTableAsync()
    {
        var file = await Server.ScalarAsync<string>("SELECT pg_relation_filepath('model')");
        (await DigestAsync(Path.Combine(Target, file))).ShouldBe(await DigestAsync(Path.Combine(Server.DataDirectory, file)));
    }

    private static async Task<string> DigestAsync(string path) => Convert.ToHexString(SHA256.HashData(await File.ReadAllBytesAsync(path)));
}

/// <summary>The first base backup of a store.</summary>
internal sealed class BackupPostgres(PostgresServer server) : PostgresVerb(server)
{
    protected override IReadOnlyList<string> Words { get; } = ["backup", "postgres"];

    protected override Task RequireDoneAsync() => RequireRestorableAsync();
}

/// <summary>An incremental base backup upon the store's first, which was taken before the table was changed.</summary>
internal sealed class BackupIncrement(PostgresServer server) : PostgresVerb(server, [("Postgres__FullBackup__FullEvery", "7")])
{
    protected override IReadOnlyList<string> Words { get; } = ["backup", "postgres"];

    protected override Task PrepareAsync() => PrepareFromAsync("backed-up", async () =>
    {
        await Agent.RunAsync("backup", "postgres");
        await Server.ExecuteAsync("UPDATE model SET md5 = 'changed' WHERE g % 100 = 0; CHECKPOINT");
    });

    protected override async Task RequireDoneAsync()
    {
        var backups = JsonNode.Parse(await Agent.RunAsync("list", "postgres", "--json"))!["sources"]![0]!["backups"]!.AsArray();
        backups[^1]!["parent"].ShouldNotBeNull("it is a full one");
        await RequireRestorableAsync();
    }
}

/// <summary>A restore into a directory that is not there.</summary>
internal sealed class RestorePostgres(PostgresServer server) : PostgresVerb(server)
{
    protected override IReadOnlyList<string> Words => ["restore", "postgres", "--target-directory", Target];

    private bool IsStartable => File.Exists(Path.Combine(Target, "global/pg_control"));

    protected override Task PrepareAsync() => PrepareBackupAsync("postgres");

    protected override async Task RequireUnbrokenAsync()
    {
        if (Directory.Exists(Target) && !IsStartable)
        {
            await Should.ThrowAsync<InvalidOperationException>(() => PostgresServer.StartOnDirectoryAsync(Target, 15), "half a server starts");
        }
    }

    /// <summary>One that lacked nothing but its last words is done.</summary>
    protected override Task RunAgainAsync() => IsStartable ? Task.CompletedTask : base.RunAgainAsync();

    protected override async Task RequireDoneAsync()
    {
        await RequireTableAsync();
        await using var restored = await PostgresServer.StartOnDirectoryAsync(Target, 15);
        await Eventually.TrueAsync(() => restored.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the restored server promotes", details: restored.ReadLog);
        (await restored.ScalarAsync<long>("SELECT count(*) FROM model")).ShouldBe(CrashSweepTests.Rows);
    }
}

/// <summary>A prune of the older of two backups and of the log before the newer.</summary>
internal sealed class PrunePostgres(PostgresServer server) : PostgresVerb(
    server,
    [
        ("Postgres__Retention__KeepLast", "1"), ("Postgres__Retention__KeepDaily", "0"), ("Postgres__Retention__KeepWeekly", "0"), ("Postgres__Retention__KeepMonthly", "0"),
        ("Postgres__Retention__RecoveryWindow", "00:00:00"),
    ])
{
    private string newest = "";

    protected override IReadOnlyList<string> Words { get; } = ["prune", "postgres", "--allow-large"];

    protected override Task PrepareAsync() => PrepareFromAsync("two-backups", async () => newest = await Agent.TakeTwoAsync("postgres"));

    protected override Task RequireUnbrokenAsync() => Agent.RunAsync("restore", "postgres", "--target-directory", Target, "--plan");

    protected override async Task RequireDoneAsync()
    {
        (await Agent.BackupsAsync("postgres")).ShouldBe([newest]);
        await RequireRestorableAsync();
    }
}

/// <summary>A verification of what nobody has verified yet.</summary>
internal sealed class VerifyPostgres(PostgresServer server) : PostgresVerb(server)
{
    protected override IReadOnlyList<string> Words { get; } = ["verify", "postgres", "all"];

    protected override Task PrepareAsync() => PrepareBackupAsync("postgres");

    protected override Task RequireDoneAsync() => RequireRestorableAsync();
}

/// <summary>A drill on this machine.</summary>
internal sealed class DrillPostgres(PostgresServer server) : PostgresVerb(server)
{
    protected override IReadOnlyList<string> Words { get; } = ["drill", "postgres"];

    protected override Task PrepareAsync() => PrepareBackupAsync("postgres");

    protected override Task RequireDoneAsync()
    {
        RequireDrilled();
        return RequireRestorableAsync();
    }
}
