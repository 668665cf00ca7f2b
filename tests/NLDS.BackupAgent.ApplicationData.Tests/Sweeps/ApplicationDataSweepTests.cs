using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.ApplicationData.Tests.Sweeps;

/// <summary>Everything that is done with rows and cache keys, broken at its calls to the store.</summary>
[Collection(typeof(ServersCollection))]
public sealed class ApplicationDataSweepTests(Servers servers)
{
    private const string Tables =
        """
        INSERT INTO user_sessions SELECT gen_random_uuid(), g, now(), now() + interval '1 day', '{"a": 1}' FROM generate_series(1, 50) g;
        INSERT INTO api_keys (key_name) SELECT 'key ' || g FROM generate_series(1, 20) g;
        """;

    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_backup_is_whole_or_does_not_exist(Way way)
    {
        await using var bench = await StartAsync();
        (await new Sweep(new TakeRowsOperation(bench)) { Samples = 6 }.RunAsync(way)).ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_restore_that_broke_is_completed_by_the_next(Way way)
    {
        await using var bench = await StartAsync();
        await bench.TakeAsync();
        (await new Sweep(new RestoreOperation(bench)) { Samples = 6 }.RunAsync(way)).ShouldBeGreaterThan(0);
    }

    private async Task<Bench> StartAsync()
    {
        var bench = await Bench.StartAsync(servers, Bench.StrategyTables + Tables);
        for (var key = 0; key < 20; key++)
        {
            await bench.RedisAsync("SET", $"nlds:cache:{key}", new string('x', key));
        }

        return bench;
    }
}
