using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>
/// The daemon on an empty store, beside a Redis that is written to: its first copy, its chunks, and its stop. What it acknowledged before it was killed is in the store; the
/// next one goes on with the stream by itself, without a gap.
/// </summary>
internal sealed partial class RunRedis(CrashedServers servers) : RedisVerb(
    servers.Redis,
    [("Redis__Snapshot__Schedule", "* * * * * ?"), ("Redis__Stream__FlushInterval", "00:00:00.1"), ("Agent__Urls", $"http://127.0.0.1:{FreePorts.Take(1)[0]}")])
{
    /// <summary>More than one flush takes.</summary>
    private const int LargeBytes = 3 << 20;

    private readonly List<string> acknowledged = [];
    private int lines;

    protected override IReadOnlyList<string> Words { get; } = ["run"];

    protected override Func<CancellationToken, Task>? WhileRunning => async gone =>
    {
        await Eventually.TrueAsync(async () => gone.IsCancellationRequested || (await LookAsync()).Acknowledged > 0, "the daemon follows");
        foreach (var bytes in (int[])[1, LargeBytes, 1])
        {
            await WriteAsync(bytes, gone);
        }
    };

    protected override async Task PrepareAsync()
    {
        await base.PrepareAsync();
        acknowledged.Clear();
    }

    /// <summary>What was acknowledged is in the store.</summary>
    protected override async Task RequireUnbrokenAsync()
    {
        if (acknowledged.Count > 0)
        {
            await RestoreAsync();
            await using var restored = await RedisServer.StartInAsync(Target, "--appendonly", "yes");
            (await CrashedServers.RedisAsync(restored, "EXISTS", [.. acknowledged])).Trim().ShouldBe($"{acknowledged.Count}");
        }
    }

    protected override async Task RunAgainAsync()
    {
        var end = await RunAsync();
        end.Code.ShouldBe(ExitCode.Done, end.Output);
    }

    protected override async Task RequireDoneAsync()
    {
        JsonNode.Parse(await Agent.RunAsync("list", "redis", "--json"))!["sources"]![0]!["log"]!["gaps"]!.AsArray().ShouldBeEmpty();
        await RequireRestorableAsync();
    }

    /// <summary>Until the daemon has acknowledged it, or is gone.</summary>
    private async Task WriteAsync(int bytes, CancellationToken gone)
    {
        gone.ThrowIfCancellationRequested();
        var key = string.Create(CultureInfo.InvariantCulture, $"ledger:{lines++}");
        await servers.RedisAsync("EVAL", "return redis.call('SET', KEYS[1], string.rep('x', ARGV[1]))", "1", key, bytes.ToString(CultureInfo.InvariantCulture));
        var written = (await LookAsync()).Written;
        await Eventually.TrueAsync(async () => gone.IsCancellationRequested || (await LookAsync()).Acknowledged >= written, $"the daemon has acknowledged {key}");
        gone.ThrowIfCancellationRequested();
        acknowledged.Add(key);
    }

    /// <summary>How much of the stream the server has written, and how much of it the daemon has acknowledged; none before its first word, and when there is no daemon.</summary>
    private async Task<(long Written, long Acknowledged)> LookAsync()
    {
        var info = await servers.RedisAsync("INFO", "replication");
        return (Number(Written().Match(info)), Number(Acknowledged().Match(info)));
    }

    private static long Number(Match match) => match.Success ? long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"^master_repl_offset:(\d+)", RegexOptions.Multiline)]
    private static partial Regex Written();

    [GeneratedRegex(@"^slave0:.*state=online,offset=(\d+)", RegexOptions.Multiline)]
    private static partial Regex Acknowledged();
}
