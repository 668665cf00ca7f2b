using System.Globalization;
using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Checks;

/// <summary>Everything that backups of a server need of it, looked at without changing anything.</summary>
internal sealed class RedisChecks(RedisOptions options, TimeProvider clock)
{
    private static readonly string[] Settings =
        ["repl-backlog-size", "client-output-buffer-limit", "maxmemory", "repl-diskless-sync", "repl-timeout", "rdbchecksum", "repl-backlog-ttl"];

    public async IAsyncEnumerable<CheckFinding> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (finding, server) = await ConnectAsync(cancellationToken);
        yield return finding;
        if (server is not { } open)
        {
            yield break;
        }

        await using var connection = open.Connection;
        var settings = await ReadSettingsAsync(connection, cancellationToken);
        yield return await JudgeReplicationAsync(connection, cancellationToken);
        if (settings is null)
        {
            yield return new CheckFinding(
                "settings", CheckVerdict.Warning, $"cannot be read. Run ACL SETUSER {options.Username ?? "default"} +config|get, or see to repl-backlog-size and client-output-buffer-limit yourself.");
            yield break;
        }

        foreach (var judged in Judge(settings, open.Info))
        {
            yield return judged;
        }
    }

    private async Task<(CheckFinding Finding, (RedisConnection Connection, ServerInfo Info)? Server)> ConnectAsync(CancellationToken cancellationToken)
    {
        try
        {
            var (connection, info) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
            if (await DenialAsync(connection, cancellationToken, "PING") is { } denied && denied.Code == "NOAUTH")
            {
                await connection.DisposeAsync();
                return (new CheckFinding("connection", CheckVerdict.Fault, RedisFailure.Explain(denied, options).Message), null);
            }

            var described = $"Redis {info.Version ?? "of unknown version"} at {connection.Address}, {(info.IsReplica ? "a replica" : "primary")}, {(options.Tls ? "encrypted" : "not encrypted")}";
            return info.Version is { } text && Version.TryParse(text, out var version) && version < new Version(5, 0)
                ? (new CheckFinding("connection", CheckVerdict.Warning, $"{described}. It is older than any version that is tried here (6.2 and later)."), (connection, info))
                : (new CheckFinding("connection", CheckVerdict.Good, described), (connection, info));
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            return (new CheckFinding("connection", CheckVerdict.Fault, RedisFailure.Explain(failure, options).Message), null);
        }
    }

    /// <summary>Asked of the server's own list of rights: PSYNC itself would cost it a fork.</summary>
    private async Task<CheckFinding> JudgeReplicationAsync(RedisConnection connection, CancellationToken cancellationToken)
    {
        if (await DenialAsync(connection, cancellationToken, "REPLCONF", "capa", "psync2") is { } refused)
        {
            return new CheckFinding("replication", Severity, RedisFailure.Explain(refused, options).Message);
        }

        try
        {
            // ACL DRYRUN is of 7.0; without it, or without the right to it, the first run will tell.
            var me = (await connection.AskAsync(cancellationToken, "ACL", "WHOAMI")).Text;
            var verdict = (await connection.AskAsync(cancellationToken, "ACL", "DRYRUN", me, "PSYNC", "?", "-1")).Text;
            return verdict == "OK"
                ? new CheckFinding("replication", CheckVerdict.Good, $"the user {me} may use PSYNC and REPLCONF")
                : new CheckFinding("replication", Severity, $"{verdict}. Run ACL SETUSER {me} +psync +replconf +ping.");
        }
        catch (RedisErrorException)
        {
            return new CheckFinding("replication", CheckVerdict.Good, "REPLCONF is allowed; whether PSYNC is, the first run tells");
        }
    }

    /// <summary>In mode Snapshot there is another way.</summary>
    private CheckVerdict Severity => options.Mode == RedisMode.Stream ? CheckVerdict.Fault : CheckVerdict.Warning;

    private static async Task<RedisErrorException?> DenialAsync(RedisConnection connection, CancellationToken cancellationToken, params IReadOnlyList<string> words)
    {
        try
        {
            await connection.AskAsync(cancellationToken, words);
            return null;
        }
        catch (RedisErrorException denied)
        {
            return denied;
        }
    }

    private static async Task<IReadOnlyDictionary<string, string>?> ReadSettingsAsync(RedisConnection connection, CancellationToken cancellationToken)
    {
        var found = new Dictionary<string, string>();
        foreach (var name in Settings)
        {
            try
            {
                var answer = await connection.AskAsync(cancellationToken, "CONFIG", "GET", name);
                if (answer.Items is { Count: 2 } pair)
                {
                    found[name] = pair[1].Text;
                }
            }
            catch (RedisErrorException)
            {
                return null;
            }
        }

        return found;
    }

    private IEnumerable<CheckFinding> Judge(IReadOnlyDictionary<string, string> settings, ServerInfo info)
    {
        if (options.Mode == RedisMode.Stream && Number(settings, "repl-backlog-size") is { } backlog)
        {
            const long small = 16 << 20;
            yield return backlog < small
                ? new CheckFinding(
                    "repl-backlog-size", CheckVerdict.Warning,
                    $"is {backlog >> 20} MiB: what is written while the agent is away must fit into it, or a gap and a new base follow. Set it to at least twice the writes of the longest outage, for example 64mb.")
                : new CheckFinding("repl-backlog-size", CheckVerdict.Good, $"{backlog >> 20} MiB");
        }

        if (options.Mode == RedisMode.Stream && ReplicaLimit(settings) is { } limit)
        {
            yield return limit.Hard == 0 || limit.Hard >= 256 << 20
                ? new CheckFinding("client-output-buffer-limit replica", CheckVerdict.Good, limit.Text)
                : new CheckFinding(
                    "client-output-buffer-limit replica", CheckVerdict.Warning,
                    $"is {limit.Text}: while a copy is sent, all writes wait in this buffer, and past it the server ends the connection. Set it to 256mb or more.");
        }

        if (info["cluster_enabled"] == "1")
        {
            yield return new CheckFinding("cluster", CheckVerdict.Warning, "is on: this server has only its own slots. Run an agent, with a repository of its own, for each primary.");
        }

        if (Number(settings, "maxmemory") is 0)
        {
            yield return new CheckFinding("maxmemory", CheckVerdict.Good, "not limited; a copy forks the server, which needs room for what is written meanwhile");
        }
        else if (Number(settings, "maxmemory") is { } memory)
        {
            yield return new CheckFinding("maxmemory", CheckVerdict.Good, $"{memory >> 20} MiB, {info.Number("used_memory") >> 20} MiB used; a copy forks the server");
        }

        if (settings.GetValueOrDefault("rdbchecksum") == "no")
        {
            yield return new CheckFinding("rdbchecksum", CheckVerdict.Warning, "is no: a copy that was damaged on its way is found only by its structure. Set it to yes and restart the server.");
        }

        if (settings.GetValueOrDefault("repl-diskless-sync") == "no")
        {
            yield return new CheckFinding("repl-diskless-sync", CheckVerdict.Warning, "is no: each copy is written to the server's disk first. Set it to yes.");
        }
    }

    private static long? Number(IReadOnlyDictionary<string, string> settings, string name) =>
        long.TryParse(settings.GetValueOrDefault(name), CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary><c>normal 0 0 0 slave 268435456 67108864 60 pubsub …</c>; the class is called slave in every version's answer.</summary>
    private static (long Hard, string Text)? ReplicaLimit(IReadOnlyDictionary<string, string> settings)
    {
        var words = settings.GetValueOrDefault("client-output-buffer-limit", "").Split(' ');
        var index = Array.FindIndex(words, w => w is "slave" or "replica");
        return index >= 0 && index + 3 < words.Length && long.TryParse(words[index + 1], CultureInfo.InvariantCulture, out var hard)
            ? (hard, string.Join(' ', words[(index + 1)..(index + 4)]))
            : null;
    }
}
