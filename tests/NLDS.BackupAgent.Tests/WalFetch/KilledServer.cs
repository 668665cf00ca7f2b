using System.Runtime.InteropServices;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.WalFetch;

/// <summary>
/// The repository of a real server that wrote a few dozen segments after its base backup and was killed, and the program where the server's own user can run it.
/// </summary>
public sealed class KilledServer : IAsyncLifetime
{
    public const int Rows = 60_000;

    private const UnixFileMode EverybodyReads = UnixFileMode.OtherRead | UnixFileMode.GroupRead;
    private const UnixFileMode EverybodyPasses = EverybodyReads | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute;

    private readonly TemporaryDirectory directory = new();

    public string Store => directory["store"];

    /// <summary>Where a server makes its spool.</summary>
    public string Spools => directory["spools"];

    /// <summary>What a shell runs to start the program for this repository.</summary>
    public string Command => $"env DOTNET_ROOT={directory["dotnet"]} Storage__Provider=Directory Storage__Directory__Path={Store} {directory["program"]}/NLDS.BackupAgent";

    public async ValueTask InitializeAsync()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            WalSegmentMegabytes = 1,
            ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off", ["autovacuum"] = "off" },
        });
        await server.ExecuteAsync("CREATE TABLE ledger (entry int PRIMARY KEY, filler text)");
        using var stop = new CancellationTokenSource();
        var agent = RunAsync(server, stop.Token, "run");
        await Eventually.TrueAsync(() => agent.IsCompleted || Directory.GetFiles(directory.Path, "manifest.json", SearchOption.AllDirectories).Length > 0, "a base backup is there");
        for (var row = 0; row < Rows; row += Rows / 10)
        {
            await server.ExecuteAsync($"INSERT INTO ledger SELECT g, repeat(md5(g::text), 10) FROM generate_series({row + 1}, {row + (Rows / 10)}) g");
        }

        var end = await server.ScalarAsync<string>("SELECT pg_current_wal_flush_lsn()::text");
        await Eventually.TrueAsync(
            () => agent.IsCompleted ? Task.FromResult(true) : server.ScalarAsync<bool>($"SELECT bool_or(restart_lsn >= '{end}') FROM pg_replication_slots"), "all WAL is durable");
        await stop.CancelAsync();
        (await agent).ShouldBe(0);
        await server.KillAsync();
        await LetTheServersUserInAsync();
    }

    /// <summary>A directory that recovers from nothing but what <paramref name="restoreCommand"/> delivers, and takes no connection before the end.</summary>
    public async Task RestoreAsync(string target, string restoreCommand)
    {
        (await RunAsync(null, TestContext.Current.CancellationToken, "restore", "postgres", "--target-directory", target)).ShouldBe(0);
        foreach (var segment in Directory.GetFiles(Path.Combine(target, "pg_wal")))
        {
            File.Delete(segment);
        }

        var settings = Path.Combine(target, "postgresql.auto.conf");
        var text = await File.ReadAllTextAsync(settings);
        text.ShouldContain("restore_command = 'exit 1'");
        await File.WriteAllTextAsync(settings, text.Replace("restore_command = 'exit 1'", $"hot_standby = off\nrestore_command = '{restoreCommand}'", StringComparison.Ordinal));
    }

    public ValueTask DisposeAsync()
    {
        directory.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<int> RunAsync(PostgresServer? server, CancellationToken cancellationToken, params string[] arguments)
    {
        var errors = new StringWriter();
        var around = new Surroundings
        {
            Out = TextWriter.Null,
            Error = TextWriter.Synchronized(errors),
            Place = new StartingPlace
            {
                BinaryDirectory = Architecture.House.Root,
                WorkingDirectory = directory.Path,
                TemporaryDirectory = directory.Path,
                Environment = new Dictionary<string, string>
                {
                    ["Storage__Provider"] = "Directory",
                    ["Storage__Directory__Path"] = Store,
                    ["Postgres__Host"] = "127.0.0.1",
                    ["Postgres__Port"] = $"{server?.Port ?? 1}",
                    ["Postgres__Username"] = "postgres",
                    ["Postgres__SslMode"] = "disable",
                    ["Postgres__Wal__FlushInterval"] = "00:00:00.1",
                    ["Agent__Urls"] = "http://127.0.0.1:0",
                },
            },
            StartDetached = _ => throw new InvalidOperationException("Nothing is fetched in this process."),
            LeaveSession = () => { },
        };
        var code = await new CommandLine(Program.House(), around).InvokeAsync(arguments, cancellationToken);
        code.ShouldBe(0, errors.ToString());
        return code;
    }

    /// <summary>The tests may run as root out of root's own folders, and the server never does.</summary>
    private async Task LetTheServersUserInAsync()
    {
        var dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));
        Directory.CreateDirectory(directory["dotnet"]);
        await ServerProcess.RunAsync("cp", ["-rL", $"{dotnet}/shared", $"{dotnet}/host", directory["dotnet"]], TestContext.Current.CancellationToken);
        await ServerProcess.RunAsync("cp", ["-rL", AppContext.BaseDirectory, directory["program"]], TestContext.Current.CancellationToken);
        await ServerProcess.RunAsync("chmod", ["-R", "a+rX", directory.Path], TestContext.Current.CancellationToken);
        Directory.CreateDirectory(Spools);
        File.SetUnixFileMode(Spools, File.GetUnixFileMode(Spools) | EverybodyPasses | UnixFileMode.OtherWrite);
    }
}
