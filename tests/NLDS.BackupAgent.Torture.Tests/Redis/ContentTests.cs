using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Torture.Redis;

namespace NLDS.BackupAgent.Torture.Tests.Redis;

public sealed class ContentTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>All in one piece, so that the server does nothing else in between: it has no moment to remove the key by itself.</summary>
    [Fact]
    public async Task A_key_whose_time_is_over_is_not_there_although_nobody_has_removed_it_yet()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        var options = new RedisOptions { Host = "127.0.0.1", Port = server.Port };
        await using var connection = await RedisConnection.OpenAsync(options, options.Address, TimeProvider.System, Token);
        var empty = await Content.ReadAsync(connection);
        var key = new Key(0, "short");

        await connection.SendAsync(Content.Encode([["SELECT", "0"], ["SET", key.Name, "1", "PX", "1"], ["DEBUG", "SLEEP", "0.02"], .. Content.Questions([key])]), Token);
        foreach (var command in new[] { "SELECT", "SET", "DEBUG" })
        {
            await connection.Reader.ReadReplyAsync(command, Token);
        }

        (await empty.WithAnswersAsync(connection, [key])).Keys.ShouldBeEmpty();
    }
}
