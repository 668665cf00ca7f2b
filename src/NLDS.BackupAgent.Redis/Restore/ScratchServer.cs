using System.Diagnostics;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>
/// A redis-server that nobody else can reach, to load restored files and write them as one RDB file. It runs as a replica of nobody: so it neither expires keys on its own,
/// which would change the data, nor writes into the append-only file that it reads.
/// </summary>
internal sealed class ScratchServer : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(5);

    /// <summary>What loads at less than this is stuck.</summary>
    private const double SlowestBytesPerSecond = 1e6;

    private readonly Process process;
    private readonly ChildWatch watch;
    private readonly TimeProvider clock;
    private readonly string socket;
    private readonly string log;

    private ScratchServer(Process process, string socket, string log, TimeProvider clock)
    {
        this.process = process;
        watch = ChildWatch.Over(process);
        this.socket = socket;
        this.log = log;
        this.clock = clock;
    }

    /// <summary>Starts on a directory that holds an append-only file, and returns when it has been loaded.</summary>
    /// <exception cref="NotRestorableException">The server refuses the files; what it said is in the message.</exception>
    public static async Task<ScratchServer> LoadAsync(ServerProgram program, string directory, long bytes, TimeProvider clock, CancellationToken cancellationToken)
    {
        // A Unix socket's path has room for about 100 bytes, which the target's own may exceed.
        var socket = Path.Combine(Path.GetTempPath(), $"nlds-{Guid.NewGuid():N}"[..20] + ".sock");
        var log = Path.Combine(directory, "scratch.log");
        var start = new ProcessStartInfo(program.Path,
        [
            "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", directory, "--logfile", log, "--save", "", "--appendonly", "yes",
            "--replicaof", "127.0.0.1", "1", "--daemonize", "no", "--dbfilename", "folded.rdb",
        ]) { RedirectStandardOutput = true, RedirectStandardError = true };
        ChildEnvironment.Clear(start);
        var process = Process.Start(start)!;
        var server = new ScratchServer(process, socket, log, clock);
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30 + (bytes / SlowestBytesPerSecond)), clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            await server.WaitUntilLoadedAsync(either.Token);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Keys in all databases, those included that have expired meanwhile.</summary>
    public async Task<long> CountKeysAsync(CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(cancellationToken);
        var info = ServerInfo.Parse((await connection.AskAsync(cancellationToken, "INFO", "keyspace")).Text);
        return info.Databases.Values.Sum();
    }

    /// <summary>Writes what it holds as one RDB file.</summary>
    /// <returns>The file's path.</returns>
    public async Task<string> SaveAsync(string directory, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(cancellationToken);

        // SAVE answers when it is done, which may take longer than any other command.
        await connection.SendAsync(RespRequest.Encode("SAVE"), cancellationToken);
        await connection.Reader.ReadReplyAsync("SAVE", cancellationToken);
        return Path.Combine(directory, "folded.rdb");
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            process.Kill();
        }

        using var limit = new CancellationTokenSource(StopTime, clock);
        await process.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        watch.Dispose();
        process.Dispose();
        File.Delete(socket);
    }

    private async Task WaitUntilLoadedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (process.HasExited)
            {
                throw new NotRestorableException($"A redis-server that tried to load the restored files ended: {LastWords()}");
            }

            if (File.Exists(socket) && await IsLoadedAsync(cancellationToken))
            {
                return;
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

    private async Task<bool> IsLoadedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await ConnectAsync(cancellationToken);
            var info = ServerInfo.Parse((await connection.AskAsync(cancellationToken, "INFO", "persistence")).Text);
            return info["loading"] == "0";
        }
        catch (Exception early) when (early is ConnectionLostException or RedisErrorException)
        {
            return false;
        }
    }

    private Task<RedisConnection> ConnectAsync(CancellationToken cancellationToken) =>
        RedisConnection.OpenAsync(new RedisOptions(), new ServerAddress(socket, 0), clock, cancellationToken);

    private string LastWords()
    {
        const int lines = 3;
        return File.Exists(log) ? string.Join(" / ", File.ReadLines(log).TakeLast(lines)) : "it wrote no log";
    }
}
