using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>The server that the agent protects, behind an address that stays when another takes its place.</summary>
internal sealed class ProtectedServer : IAsyncDisposable
{
    public const int Major = 15;

    private PostgresServer server;

    private ProtectedServer(PostgresServer server)
    {
        this.server = server;
        Proxy = TcpProxy.Start("127.0.0.1", server.Port);
    }

    /// <summary>What the agent connects to.</summary>
    public TcpProxy Proxy { get; }

    /// <summary>For those who do not go through the proxy. Their commits wait for nobody.</summary>
    public string Address => AddressOf(commitsWait: false);

    /// <param name="commitsWait">Until the agent has them in the store, however long that takes, where the server is synchronous.</param>
    public string AddressOf(bool commitsWait) => new NpgsqlConnectionStringBuilder(server.ConnectionString)
    {
        Options = $"-c synchronous_commit={(commitsWait ? "on" : "local")}",
        CommandTimeout = commitsWait ? 0 : 120,
    }.ConnectionString;

    /// <summary>Commits wait for the agent, as README.md says under recovery point zero.</summary>
    public async Task BeSynchronousAsync()
    {
        await server.ExecuteAsync("ALTER SYSTEM SET synchronous_standby_names = '\"nlds-backup-agent\"'");
        await server.ExecuteAsync("SELECT pg_reload_conf()");
    }

    public PostgresServer Server => server;

    public string DataDirectory => server.DataDirectory;

    public static async Task<ProtectedServer> StartAsync(string directory) =>
        new(await PostgresServer.StartNewInAsync(directory, Options, FreePorts.Take(1)[0]));

    public Task KillAsync() => server.KillAsync();

    /// <summary>SIGKILL to its first process alone; <see cref="KillAsync"/> then waits for the others to go.</summary>
    /// <returns>Whether there was one.</returns>
    public bool KillWhileItStarts()
    {
        if (!server.IsRunning)
        {
            return false;
        }

        using var process = Process.GetProcessById(server.ProcessId);
        process.Kill();
        return true;
    }

    public Task StopAsync(StopMode mode) => server.StopAsync(mode);

    public async Task StartAgainAsync()
    {
        await server.StartAgainAsync();
        Proxy.Redirect(server.Port);
    }

    /// <summary>From now on this is the server. The one before is removed, with its data.</summary>
    public async Task ReplaceAsync(PostgresServer successor)
    {
        var before = server.DataDirectory;
        await server.DisposeAsync();
        if (Directory.Exists(before))
        {
            Directory.Delete(before, recursive: true);
        }

        server = successor;
        Proxy.Redirect(server.Port);
        Proxy.Cut();
    }

    public async Task<Moment> NowAsync()
    {
        await using var connection = new NpgsqlConnection(Address);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT clock_timestamp(), pg_current_wal_insert_lsn()", connection);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return new Moment(reader.GetFieldValue<DateTimeOffset>(0), reader.GetFieldValue<NpgsqlLogSequenceNumber>(1));
    }

    public Task<string> TimelineAsync() => server.ScalarAsync<string>("SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)");

    /// <summary>All of its processes but the first, and what each does.</summary>
    public async Task<IReadOnlyList<(int Id, string What)>> ProcessesAsync()
    {
        await using var connection = new NpgsqlConnection(Address);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT pid, backend_type FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY backend_type, pid", connection);
        await using var reader = await command.ExecuteReaderAsync();
        var found = new List<(int, string)>();
        while (await reader.ReadAsync())
        {
            found.Add((reader.GetInt32(0), reader.GetString(1)));
        }

        return found;
    }

    public async Task<HeldLedger> ReadLedgerAsync()
    {
        await using var connection = new NpgsqlConnection(Address);
        await connection.OpenAsync();
        return await HeldLedger.ReadAsync(connection);
    }

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await server.DisposeAsync();
    }

    /// <summary>No machine crashes here, so fsync would only cost time. Small segments and checkpoints make much happen. A promoted standby has no slot: it keeps what it writes until a busy machine has brought the agent to it.</summary>
    private static PostgresServerOptions Options => new()
    {
        Major = Major,
        WalSegmentMegabytes = 1,
        DataChecksums = true,
        ExtraSettings = new Dictionary<string, string>
        {
            ["fsync"] = "off",
            ["track_commit_timestamp"] = "on",
            ["max_prepared_transactions"] = "10",
            ["min_wal_size"] = "2MB",
            ["max_wal_size"] = "8MB",
            ["wal_keep_size"] = "512MB",
            ["autovacuum_naptime"] = "5s",
        },
    };
}
