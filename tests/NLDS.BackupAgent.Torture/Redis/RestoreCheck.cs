using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Redis;

/// <summary>Restores with the agent's own verb, has Redis's tools look at the files, starts a server on them, and compares.</summary>
internal sealed class RestoreCheck(AgentProcess agent, string target, TortureReport report)
{
    /// <summary>All that was confirmed, and nothing that never was.</summary>
    public async Task LatestAsync(History history, bool appendOnly)
    {
        var (found, readUntil) = await RestoredAsync("latest", appendOnly);
        if (history.Contradiction(found, readUntil) is { } difference)
        {
            throw new TortureException($"restore --to latest does not have what WAIT confirmed, or more than was written: {difference}. It lies in {target}.");
        }

        report.Count("restores to latest, right");
        Directory.Delete(target, recursive: true);
    }

    public async Task MomentAsync(QuietMoment moment, bool appendOnly)
    {
        var (found, readUntil) = await RestoredAsync(moment.Time.UtcDateTime.ToString("O"), appendOnly);
        if (moment.Content.DifferenceTo(found, readUntil, new HashSet<Key>()) is { } difference)
        {
            throw new TortureException($"restore --to {moment.Time.UtcDateTime:O} is not what there was then: {difference}. It lies in {target}.");
        }

        report.Count("restores to a second, right");
        Directory.Delete(target, recursive: true);
    }

    private async Task<(Content Content, long ReadUntil)> RestoredAsync(string to, bool appendOnly)
    {
        await agent.RunAsync("restore", "redis", "--target-directory", target, "--to", to, "--appendonly", appendOnly ? "yes" : "any");
        await CheckFilesAsync();
        await using var server = await RedisServer.StartInAsync(target, "--appendonly", appendOnly || Random.Shared.Next(2) == 0 ? "yes" : "no", "--save", "");
        var options = new RedisOptions { Host = "127.0.0.1", Port = server.Port };
        await using var connection = await RedisConnection.OpenAsync(options, options.Address, TimeProvider.System, CancellationToken.None);
        var content = await Content.ReadAsync(connection);
        return (content, Writer.Now());
    }

    private async Task CheckFilesAsync()
    {
        await RunToolAsync("redis-check-aof", Path.Combine(target, "appendonlydir", "appendonly.aof.manifest"));
        var dump = Path.Combine(target, "dump.rdb");
        if (File.Exists(dump) && (await ReadStartAsync(dump)).StartsWith("REDIS0", StringComparison.Ordinal))
        {
            await RunToolAsync("redis-check-rdb", dump);
        }
    }

    private static async Task RunToolAsync(string tool, string file)
    {
        try
        {
            await ServerProcess.RunAsync(tool, [file], CancellationToken.None);
        }
        catch (InvalidOperationException complaint)
        {
            throw new TortureException($"{tool} finds fault with {file}: {complaint.Message}", complaint);
        }
    }

    private static async Task<string> ReadStartAsync(string file)
    {
        using var reader = new StreamReader(file);
        var start = new char[9];
        return new string(start, 0, await reader.ReadAsync(start));
    }
}
