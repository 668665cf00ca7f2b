using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests;

/// <summary>A client that writes test data and looks at what became of it.</summary>
internal sealed class RedisClient(RedisConnection connection) : IAsyncDisposable
{
    public static async Task<RedisClient> ConnectAsync(int port, Action<RedisOptions>? configure = null)
    {
        var options = new RedisOptions { Host = "127.0.0.1", Port = port };
        configure?.Invoke(options);
        return new RedisClient(await RedisConnection.OpenAsync(options, options.Address, TimeProvider.System, CancellationToken.None));
    }

    public static Task<RedisClient> ConnectAsync(RedisServer server) => ConnectAsync(server.Port);

    public Task<RespReply> DoAsync(params string[] words) => connection.AskAsync(CancellationToken.None, words);

    public async Task<ServerInfo> InfoAsync() => ServerInfo.Parse((await DoAsync("INFO")).Text);

    /// <summary>Waits until every write of this connection is safe with one replica.</summary>
    public async Task<long> WaitAsync(TimeSpan? limit = null) =>
        (await DoAsync("WAIT", "1", ((long)(limit ?? TimeSpan.FromSeconds(20)).TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture))).Integer!.Value;

    /// <summary>Everything that the server holds, as one comparable text: the server's own digest of all data, every expiry, and the functions.</summary>
    public async Task<string> ContentAsync()
    {
        var lines = new List<string> { "digest " + (await DoAsync("DEBUG", "DIGEST")).Text };
        var info = await InfoAsync();
        foreach (var database in info.Databases.Keys.Order())
        {
            await DoAsync("SELECT", database.ToString(System.Globalization.CultureInfo.InvariantCulture));
            foreach (var key in (await DoAsync("KEYS", "*")).Items!.Select(item => item.Text).Order(StringComparer.Ordinal))
            {
                var expiry = (await DoAsync("PEXPIRETIME", key)).Integer;
                lines.Add($"{database} {key} {expiry} {(await DoAsync("TYPE", key)).Text}");
            }
        }

        await DoAsync("SELECT", "0");
        lines.AddRange((await DoAsync("FUNCTION", "LIST", "WITHCODE")).Items!.Select(library => string.Join(' ', library.Items!.Select(item => item.Text))));
        return string.Join('\n', lines);
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
