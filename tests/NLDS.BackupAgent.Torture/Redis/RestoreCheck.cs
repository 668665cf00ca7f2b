using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Redis;

/// <summary>Restores with the agent's own verb, has Redis's tools look at the files, starts a server on them, and compares.</summary>
internal sealed class RestoreCheck(AgentProcess agent, string target, Random random, TortureReport report)
{
    /// <summary>What the verbs answer when the target is not empty.</summary>
    private const int Usage = 2;

    /// <summary>Milliseconds in which one comes to its end, mostly.</summary>
    private const int MostOfARestore = 3000;

    /// <summary>Where what a restore left that was killed is looked at.</summary>
    private string Copy => target + ".copy";

    /// <summary>All that was confirmed, and nothing that never was.</summary>
    public async Task LatestAsync(History history, bool appendOnly)
    {
        await RestoreAsync("latest", appendOnly, (found, readUntil) => history.Contradiction(found, readUntil) is { } difference
            ? $"does not have what WAIT confirmed, or more than was written: {difference}" : null);
        report.Count("restores to latest, right");
    }

    public async Task MomentAsync(QuietMoment moment, bool appendOnly)
    {
        await RestoreAsync(moment.Time.UtcDateTime.ToString("O"), appendOnly, (found, readUntil) => moment.Content.DifferenceTo(found, readUntil, new HashSet<Key>()) is { } difference
            ? $"is not what there was then: {difference}" : null);
        report.Count("restores to a second, right");
    }

    /// <summary>Sometimes not at the first attempt: the ones before are killed somewhere. What they leave must not start, or be whole, and be in nobody's way.</summary>
    private async Task RestoreAsync(string to, bool appendOnly, Func<Content, long, string?> judge)
    {
        string[] words = ["restore", "redis", "--target-directory", target, "--to", to, "--appendonly", appendOnly ? "yes" : "any"];
        var kills = 0L;
        for (var attempts = random.Next(3) == 0 ? random.Next(1, 4) : 0; attempts > 0; attempts--)
        {
            if (await agent.KillAsync(TimeSpan.FromMilliseconds(random.Next(MostOfARestore)), words))
            {
                kills++;
                await CheckUnfinishedAsync(to, judge);
            }
        }

        report.Count("kills: a restore", kills);
        var (code, output, error) = await agent.TryAsync(words);
        if (code != 0 && !(code == Usage && File.Exists(Path.Combine(target, "appendonlydir", "appendonly.aof.manifest"))))
        {
            throw new TortureException($"'{string.Join(' ', words)}' ended with {code} after {kills} attempts that were killed: {error}{output}");
        }

        await CheckFilesAsync();
        var (found, readUntil) = await ReadAsync(target, appendOnly || random.Next(2) == 0);
        if (judge(found, readUntil) is { } wrong)
        {
            throw new TortureException($"restore --to {to} {wrong}. It lies in {target}.");
        }

        Directory.Delete(target, recursive: true);
    }

    private async Task CheckUnfinishedAsync(string to, Func<Content, long, string?> judge)
    {
        if (!File.Exists(Path.Combine(target, "dump.rdb")) || !File.Exists(Path.Combine(target, "appendonlydir", "appendonly.aof.manifest")))
        {
            return; // it had hardly begun: what it writes first is swept elsewhere
        }

        await ServerProcess.RunAsync("cp", ["-a", target, Copy], CancellationToken.None);
        try
        {
            var (found, readUntil) = await ReadAsync(Copy, random.Next(2) == 0);
            report.Count("killed restores that were whole");
            if (judge(found, readUntil) is { } wrong)
            {
                throw new TortureException($"A restore --to {to} that was killed leaves a directory from which a server starts, and {wrong}. It lies in {target}.");
            }
        }
        catch (InvalidOperationException)
        {
            report.Count("killed restores from which no server starts");
        }

        Directory.Delete(Copy, recursive: true);
    }

    private static async Task<(Content Content, long ReadUntil)> ReadAsync(string directory, bool appendOnly)
    {
        await using var server = await RedisServer.StartInAsync(directory, "--appendonly", appendOnly ? "yes" : "no", "--save", "");
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
