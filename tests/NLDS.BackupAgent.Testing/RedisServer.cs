using System.Net.Sockets;

namespace NLDS.BackupAgent.Testing;

/// <summary>A real redis-server of a test's own on loopback, with a directory that outlives its process.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private readonly TemporaryDirectory? owned;
    private readonly string program;
    private ServerProcess? process;

    private RedisServer(string program, string directory, TemporaryDirectory? owned, int port)
    {
        this.program = program;
        this.owned = owned;
        Directory = directory;
        Port = port;
    }

    public string Directory { get; }

    public int Port { get; }

    public bool HasExited => process is null || process.HasExited;

    public int ProcessId => process!.Id;

    private string Log => Path.Combine(Directory, "server.log");

    /// <param name="arguments">Settings as on the command line: <c>--appendonly yes</c>.</param>
    public static async Task<RedisServer> StartAsync(params string[] arguments)
    {
        var directory = new TemporaryDirectory();
        var server = new RedisServer("redis-server", directory.Path, directory, FreePorts.Take(1)[0]);
        await server.StartAgainAsync(arguments);
        return server;
    }

    /// <summary>On a directory that somebody else made and keeps.</summary>
    public static Task<RedisServer> StartInAsync(string directory, params string[] arguments) => StartInAsync(directory, FreePorts.Take(1)[0], arguments);

    public static async Task<RedisServer> StartInAsync(string directory, int port, params string[] arguments)
    {
        var server = new RedisServer("redis-server", directory, null, port);
        try
        {
            await server.StartAgainAsync(arguments);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the server says when it refuses to start on a directory.</summary>
    public static async Task<string> RefusalAsync(string directory, params string[] arguments)
    {
        var server = new RedisServer("redis-server", directory, null, FreePorts.Take(1)[0]);
        server.Launch(arguments);
        await Eventually.TrueAsync(() => server.HasExited, "redis-server has ended");
        var log = await File.ReadAllTextAsync(server.Log);
        await server.DisposeAsync();
        return log;
    }

    /// <summary>Starts on the same port and directory; returns when it answers.</summary>
    public async Task StartAgainAsync(params string[] arguments)
    {
        Launch(arguments);
        await Eventually.TrueAsync(AnswersAsync, $"redis-server answers on port {Port}", details: () => File.Exists(Log) ? File.ReadAllText(Log) : "it wrote no log");
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        await process!.DisposeAsync();
        process = null;
    }

    public void Pause() => process!.Pause();

    public void Resume() => process!.Resume();

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            await KillAsync();
        }

        owned?.Dispose();
    }

    private void Launch(string[] arguments) => process = ServerProcess.Start(
        program,
        [
            "--port", Port.ToString(System.Globalization.CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", Directory, "--logfile", Log,
            "--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes", "--repl-ping-replica-period", "1", .. arguments,
        ]);

    private async Task<bool> AnswersAsync()
    {
        if (process!.HasExited)
        {
            throw new InvalidOperationException($"redis-server ended: {(File.Exists(Log) ? await File.ReadAllTextAsync(Log) : "it wrote no log")}");
        }

        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port);
            await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
            var answer = new byte[5];
            await client.GetStream().ReadExactlyAsync(answer);

            // An error that is not about loading is an answer too: a server that wants a password runs.
            return answer[0] == '+' || (answer[0] == '-' && answer[1] == 'N');
        }
        catch (Exception early) when (early is SocketException or IOException)
        {
            return false;
        }
    }
}
