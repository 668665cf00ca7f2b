using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Tail;

/// <summary>A stream of a few writes a second, for so long that no seal could name all its seconds.</summary>
public sealed class SlowStreamTests : IDisposable
{
    private const int Writes = 1000;

    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Fact]
    public async Task Every_second_of_it_can_be_restored()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store, clock: new HastyClock());
        await agent.UntilStreamingAsync();
        for (var i = 0; i < Writes; i++)
        {
            // One at a time, so that each is a read of its own, and by the agent's clock a second of its own.
            await client.DoAsync("SET", $"key {i:d4}", "x");
            (await client.WaitAsync()).ShouldBe(1);
        }

        await agent.StopAsync();

        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        var archive = agent.Catalog.OpenLog();
        var windows = new List<LogWindow>();
        foreach (var piece in (await archive.ReadInventoryAsync(CancellationToken.None)).Pieces.OrderBy(p => p.Range.Start))
        {
            var seal = await archive.ReadSealAsync(piece, CancellationToken.None);
            windows.AddRange(LogWindow.Decode(seal.Arrivals, seal.Start));
        }

        windows.Count.ShouldBeGreaterThanOrEqualTo(Writes);
        foreach (var window in windows.Where((_, index) => index % 300 == 150))
        {
            var directory = targets[Guid.NewGuid().ToString("N")];
            var plan = (Redis.Restore.RedisRestorePlan)await agent.RestoreAsync(directory, window.First.AddMilliseconds(-1).ToString("O"));

            plan.Cut.ShouldBe(window.Start);
            await using var restored = await RedisServer.StartInAsync(directory, "--appendonly", "no");
            await using var look = await RedisClient.ConnectAsync(restored);
            var keys = (await look.DoAsync("KEYS", "*")).Items!.Select(item => item.Text).Order().ToList();
            keys.ShouldBe(Enumerable.Range(0, keys.Count).Select(i => $"key {i:d4}"));
            keys.Count.ShouldBeInRange(1, Writes - 1);
        }
    }

    /// <summary>A second later whenever it is asked; timers run as ever.</summary>
    private sealed class HastyClock : TimeProvider
    {
        private readonly DateTimeOffset start = TimeProvider.System.GetUtcNow().AddDays(-1);
        private int asked;

        public override DateTimeOffset GetUtcNow() => start.AddSeconds(Interlocked.Increment(ref asked));
    }
}
