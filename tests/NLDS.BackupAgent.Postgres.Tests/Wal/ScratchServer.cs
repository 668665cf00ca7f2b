using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

/// <summary>A PostgreSQL 15 cluster of its own in a temporary directory, with nothing archived and nothing recycled.</summary>
internal sealed class ScratchServer : IAsyncDisposable
{
    private const string Binaries = "/usr/lib/postgresql/15/bin";

    private readonly string directory = Directory.CreateTempSubdirectory("walscan").FullName;
    private readonly int port = FreePort();
    private bool running;

    private ScratchServer(int segmentMegabytes) => SegmentBytes = (uint)segmentMegabytes << 20;

    public uint SegmentBytes { get; }

    private string Data => Path.Combine(directory, "data");

    private string Wal => Path.Combine(Data, "pg_wal");

    public static async Task<ScratchServer> StartAsync(int segmentMegabytes)
    {
        var server = new ScratchServer(segmentMegabytes);
        if (Environment.UserName == "root")
        {
            await RunAsync("chown", ["postgres:", server.directory]);
        }

        await server.RunHereAsync("initdb", "-D", server.Data, "-U", "postgres", "-A", "trust", "--no-sync", $"--wal-segsize={segmentMegabytes}");
        await File.AppendAllTextAsync(Path.Combine(server.Data, "postgresql.conf"), $"""

            port = {server.port}
            listen_addresses = '127.0.0.1'
            unix_socket_directories = ''
            fsync = off
            wal_level = logical
            wal_keep_size = 4GB
            max_wal_size = 4GB
            max_prepared_transactions = 10
            checkpoint_timeout = 1h
            autovacuum = off
            """);
        await server.StartAgainAsync();
        return server;
    }

    public async Task StartAgainAsync()
    {
        await RunHereAsync("pg_ctl", "start", "-w", "-D", Data, "-l", Path.Combine(directory, "log"));
        running = true;
    }

    public async Task StopAsync(string mode)
    {
        running = false;
        await RunHereAsync("pg_ctl", "stop", "-w", "-D", Data, "-m", mode);
    }

    public async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection($"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Pooling=false;Command Timeout=120");
        await connection.OpenAsync();
        return connection;
    }

    public Task BenchAsync(params string[] arguments) =>
        RunHereAsync("pgbench", ["-h", "127.0.0.1", "-p", $"{port}", "-U", "postgres", .. arguments, "postgres"]);

    /// <summary>The files of write-ahead log in their order, and where the first of them starts.</summary>
    public (ulong Start, string[] Files) Segments()
    {
        var files = Directory.GetFiles(Wal).Where(file => Path.GetFileName(file).Length == 24).Order(StringComparer.Ordinal).ToArray();
        var name = Path.GetFileName(files[0]);
        var start = (Convert.ToUInt64(name[8..16], 16) << 32) + (Convert.ToUInt64(name[16..], 16) * SegmentBytes);
        return (start, files);
    }

    /// <summary>What PostgreSQL's own reader says of everything from <paramref name="start"/>; it ends where there is no more, and calls that an error.</summary>
    public Task<string> DumpAsync(ulong start) =>
        RunAsync("pg_waldump", ["-p", Wal, "-t", "1", "-s", $"{start >> 32:X}/{(uint)start:X}"], mayFail: true);

    public async ValueTask DisposeAsync()
    {
        if (running)
        {
            await StopAsync("immediate");
        }

        Directory.Delete(directory, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task RunHereAsync(string program, params string[] arguments)
    {
        try
        {
            await RunAsync(program, arguments);
        }
        catch (InvalidOperationException) when (File.Exists(Path.Combine(directory, "log")))
        {
            TestContext.Current.TestOutputHelper?.WriteLine(await File.ReadAllTextAsync(Path.Combine(directory, "log")));
            throw;
        }
    }

    /// <summary>PostgreSQL refuses to run as root, and takes its times' zone from the environment.</summary>
    private static async Task<string> RunAsync(string program, string[] arguments, bool mayFail = false)
    {
        var isOurs = File.Exists(Path.Combine(Binaries, program));
        string[] command = isOurs && Environment.UserName == "root"
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", Path.Combine(Binaries, program), .. arguments]
            : [isOurs ? Path.Combine(Binaries, program) : program, .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
        start.Environment["TZ"] = "UTC";
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0 && !mayFail)
        {
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await error}{output}");
        }

        return output;
    }
}
