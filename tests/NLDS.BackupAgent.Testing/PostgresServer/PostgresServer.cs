using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace NLDS.BackupAgent.Testing;

/// <summary>
/// A real PostgreSQL server on loopback, in a directory of its own. The superuser <c>postgres</c> is trusted; <see cref="BackupRole"/> has
/// REPLICATION and <see cref="BackupPassword"/>. Disposing kills the server and removes its directory.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    public const string BackupRole = "nlds_backup";
    public const string BackupPassword = "correct horse, battery staple";

    /// <summary>Servers start in a second; recovery of a large test takes longer.</summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(60);

    /// <summary>A postmaster gives its processes five seconds (SIGKILL_CHILDREN_AFTER_SECS in postmaster.c).</summary>
    private static readonly TimeSpan ImmediateStopTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan OrphansTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly string workDirectory;
    private Process? process;

    private PostgresServer(string workDirectory, string dataDirectory, int major, int port)
    {
        this.workDirectory = workDirectory;
        DataDirectory = dataDirectory;
        Major = major;
        Port = port;
    }

    public int Major { get; }

    public int Port { get; private set; }

    public string Host { get; } = "127.0.0.1";

    public string DataDirectory { get; }

    /// <summary>Where the Unix socket lies.</summary>
    public string SocketDirectory => workDirectory;

    public string LogPath => Path.Combine(workDirectory, "server.log");

    public int ProcessId => process?.Id ?? throw new InvalidOperationException("The server does not run.");

    public bool IsRunning => process is { HasExited: false };

    /// <summary>As superuser, without pooling: a pool would keep connections of a server that was restarted.</summary>
    public string ConnectionString => $"Host={Host};Port={Port};Username=postgres;Database=postgres;Pooling=false;Timeout=15;Command Timeout=120";

    public static Task<PostgresServer> StartAsync() => StartAsync(new PostgresServerOptions());

    public static async Task<PostgresServer> StartAsync(PostgresServerOptions options)
    {
        var workDirectory = NewWorkDirectory();
        await ServerCommand.GiveToServerAsync(workDirectory);
        var server = new PostgresServer(workDirectory, Path.Combine(workDirectory, "data"), options.Major, FreePorts.Take(1)[0]);
        try
        {
            await PostgresCluster.InitialiseAsync(server.DataDirectory, options);
            await server.StartAgainAsync();
            await server.CreateBackupRoleAsync(options);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Starts a server on a data directory that something else made, such as a restore. The directory is given to the user postgres and stays when the
    /// server is disposed.
    /// </summary>
    public static async Task<PostgresServer> StartOnDirectoryAsync(string directory, int major, int? port = null)
    {
        var workDirectory = NewWorkDirectory();
        await ServerCommand.GiveToServerAsync(workDirectory);
        await ServerCommand.GiveToServerAsync(directory);
        await ServerCommand.OpenPathAsync(directory);
        var server = new PostgresServer(workDirectory, directory, major, port ?? FreePorts.Take(1)[0]);
        try
        {
            await server.StartAgainAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a cluster in a directory that somebody else keeps, and starts it.</summary>
    public static async Task<PostgresServer> StartNewInAsync(string directory, PostgresServerOptions options, int port)
    {
        await ServerCommand.GiveToServerAsync(directory);
        await ServerCommand.OpenPathAsync(directory);
        await PostgresCluster.InitialiseAsync(directory, options);
        var server = await StartOnDirectoryAsync(directory, options.Major, port);
        await server.CreateBackupRoleAsync(options);
        return server;
    }

    /// <summary>Starts the stopped server, and waits until it takes connections.</summary>
    public async Task StartAgainAsync()
    {
        if (IsRunning)
        {
            throw new InvalidOperationException("The server runs already.");
        }

        const int attempts = 5; // for when somebody else took the port in between
        for (var attempt = 1; !await TryStartAsync(); attempt++)
        {
            if (attempt == attempts)
            {
                throw Failure("did not find a free port");
            }

            Port = FreePorts.Take(1)[0];
        }
    }

    public async Task StopAsync(StopMode mode = StopMode.Fast)
    {
        Signals.Send(ProcessId, mode == StopMode.Fast ? Signals.Interrupt : Signals.Quit);
        await AwaitExitAsync();
    }

    /// <summary>
    /// SIGKILL, as the kernel does when memory runs out, and waits until the orphaned server processes are gone too. One that asks a checkpointer for a checkpoint that is gone
    /// tries for a minute (MAX_SIGNAL_TRIES in checkpointer.c): whoever has not seen by then that his server is dead is killed as well.
    /// </summary>
    public async Task KillAsync()
    {
        if (process is null)
        {
            return;
        }

        if (IsRunning)
        {
            Signals.Send(ProcessId, Signals.Kill);
            await process.WaitForExitAsync();
        }

        var began = TimeProvider.System.GetTimestamp();
        while (PostgresCluster.ProcessesOf(DataDirectory).Any() && TimeProvider.System.GetElapsedTime(began) < OrphansTime)
        {
            await Task.Delay(PollInterval, TimeProvider.System);
        }

        foreach (var orphan in PostgresCluster.ProcessesOf(DataDirectory))
        {
            Signals.Send(orphan, Signals.Kill);
        }

        await AwaitExitAsync();
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>An empty directory that the server may use, such as for a tablespace.</summary>
    public async Task<string> CreateServerDirectoryAsync(string name)
    {
        var path = Path.Combine(workDirectory, name);
        await ServerCommand.GiveToServerAsync(path);
        return path;
    }

    /// <summary>Ends recovery, with a new timeline. Not by pg_promote: its own snapshot may be in the way of what is left to replay, which then cancels it.</summary>
    public Task PromoteAsync() =>
        ServerCommand.RunAsync(PostgresBinaries.Tool(Major, "pg_ctl"), ["promote", "--wait", $"--timeout={StartTime.TotalSeconds:F0}", $"--pgdata={DataDirectory}"]);

    /// <summary>A hot standby of this server, streaming from it; with a slot of that name if one is given. Only for majors with pg_basebackup.</summary>
    public async Task<PostgresServer> CreateStandbyAsync(string? slot = null)
    {
        var workDirectory = NewWorkDirectory();
        await ServerCommand.GiveToServerAsync(workDirectory);
        var standby = new PostgresServer(workDirectory, Path.Combine(workDirectory, "data"), Major, FreePorts.Take(1)[0]);
        try
        {
            string[] ofSlot = slot is null ? [] : ["--create-slot", $"--slot={slot}"];
            await ServerCommand.RunAsync(
                PostgresBinaries.Tool(Major, "pg_basebackup"),
                [
                    $"--pgdata={standby.DataDirectory}", $"--host={Host}", $"--port={Port}", "--username=postgres", "--write-recovery-conf",
                    "--wal-method=stream", "--checkpoint=fast", "--no-sync", .. ofSlot,
                ]);
            await standby.StartAgainAsync();
            return standby;
        }
        catch
        {
            await standby.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the server logged, for a test's message.</summary>
    public string ReadLog() => File.Exists(LogPath) ? File.ReadAllText(LogPath) : "(no log)";

    /// <summary>An immediate shutdown gives back the memory that the server shared; SIGKILL would leave it to the machine, which has room for a few thousand of such servers.</summary>
    public async ValueTask DisposeAsync()
    {
        if (process is { HasExited: false } running)
        {
            using var patience = new CancellationTokenSource(ImmediateStopTime, TimeProvider.System);
            Signals.Send(running.Id, Signals.Quit);
            await running.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await KillAsync();
        SharedMemory.RemoveOf(DataDirectory);
        Directory.Delete(workDirectory, recursive: true);
    }

    private static string NewWorkDirectory() => Directory.CreateTempSubdirectory("nlds-pg-").FullName;

    private async Task CreateBackupRoleAsync(PostgresServerOptions options)
    {
        var encryption = options.AuthMethod == "md5" ? "md5" : "scram-sha-256";
        await ExecuteAsync(
            $"SET password_encryption = '{encryption}'; CREATE ROLE {BackupRole} LOGIN REPLICATION PASSWORD '{BackupPassword}'");
    }

    /// <returns>False when the port is taken.</returns>
    private async Task<bool> TryStartAsync()
    {
        var logged = File.Exists(LogPath) ? new FileInfo(LogPath).Length : 0;
        process?.Dispose();
        // On the command line these win over whatever a copied postgresql.conf says.
        process = ServerCommand.Start(
            LogPath, PostgresBinaries.Tool(Major, "postgres"),
            "-D", DataDirectory, "-p", Port.ToString(CultureInfo.InvariantCulture), "-k", SocketDirectory, "-c", "listen_addresses=127.0.0.1");
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (process.HasExited)
            {
                return ReadLog()[(int)logged..].Contains("Address already in use", StringComparison.Ordinal) ? false : throw Failure("ended while starting");
            }

            if (await AcceptsConnectionsAsync())
            {
                return true;
            }

            if (TimeProvider.System.GetElapsedTime(began) > StartTime)
            {
                throw Failure($"took no connection within {StartTime.TotalSeconds} s");
            }

            await Task.Delay(PollInterval, TimeProvider.System);
        }
    }

    private async Task<bool> AcceptsConnectionsAsync()
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        try
        {
            await connection.OpenAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false; // refused, or "the database system is starting up"
        }
    }

    private async Task AwaitExitAsync()
    {
        using var deadline = new CancellationTokenSource(StopTime, TimeProvider.System);
        try
        {
            await process!.WaitForExitAsync(deadline.Token);
            while (PostgresCluster.ProcessesOf(DataDirectory).Any())
            {
                await Task.Delay(PollInterval, TimeProvider.System, deadline.Token);
            }
        }
        catch (OperationCanceledException)
        {
            throw Failure($"did not end within {StopTime.TotalSeconds} s");
        }

        process.Dispose();
        process = null;
    }

    private InvalidOperationException Failure(string what) => new($"PostgreSQL {Major} on port {Port} {what}. Its log:\n{ReadLog()}");
}
