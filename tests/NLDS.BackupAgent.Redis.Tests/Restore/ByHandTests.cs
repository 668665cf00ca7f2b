using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>What README.md tells people to do on the day that this program is not there.</summary>
public sealed partial class ByHandTests
{
    [Fact]
    public async Task The_commands_of_the_manual_restore_everything()
    {
        using var files = new TemporaryDirectory();
        var store = ObjectStores.Open(
            new StorageOptions { Provider = StorageProvider.Directory, Directory = { Path = files["store"] } }, NullLoggerFactory.Instance, null, TimeProvider.System);
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "before");
        await using (var first = TestAgent.Start(server.Port, store))
        {
            await first.UntilStreamingAsync();
            await TestData.WriteEverythingAsync(client, "behind");

            // More than a segment, so that there are whole ones, a base in the middle of one, and chunks.
            for (var i = 0; i < 40; i++)
            {
                await client.DoAsync("SET", $"large {i}", new string((char)('a' + (i % 26)), 500_000));
            }

            await first.TakeAsync();
            await client.DoAsync("SELECT", "5");
            await client.DoAsync("SET", "last", "1");
            (await client.WaitAsync()).ShouldBe(1);
            await first.TakeAsync();
            await client.DoAsync("SET", "very last", "1");
            (await client.WaitAsync()).ShouldBe(1);
            await first.StopAsync();
        }

        var script = Script().Match(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "README.md"))).Groups[1].Value
            .Replace("/mnt/backups/nlds", files["store"], StringComparison.Ordinal)
            .Replace("/var/lib/redis/by-hand", files["by-hand"], StringComparison.Ordinal);
        await ServerProcess.RunAsync("bash", ["-e", "-c", script], CancellationToken.None);

        await using var restored = await RedisServer.StartInAsync(files["by-hand"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    [GeneratedRegex(@"<!-- redis by hand: begin -->\s*```bash\n(.*?)```\s*<!-- redis by hand: end -->", RegexOptions.Singleline)]
    private static partial Regex Script();
}
