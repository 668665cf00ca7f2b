using System.Diagnostics;
using System.Globalization;
using Npgsql;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>
/// A restored cluster that runs for a drill. It listens in a private directory only; it archives nothing, replicates nothing, runs no jobs; its memory is bounded
/// whatever the original's configuration says.
/// </summary>
internal sealed class PostgresRehearsal : IRehearsal
{
    private const int Port = 5432;

    /// <summary>The one database that every cluster has.</summary>
    private const string Maintenance = "template1";

    private const int FastShutdown = 2; // SIGINT
    private const int ImmediateShutdown = 3; // SIGQUIT
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan StopTime = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ImmediateStopTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ChecksumTime = TimeSpan.FromMinutes(30);

    private readonly PostgresRestorePlan plan;
    private readonly ServerPrograms programs;
    private readonly RehearsalProcess server;
    private readonly string socketDirectory;
    private readonly PostgresOptions options;
    private readonly TimeProvider clock;

    /// <summary>At first a role that the cluster certainly has: the one that backs it up.</summary>
    private string superuser;

    private PostgresRehearsal(PostgresRestorePlan plan, ServerPrograms programs, RehearsalProcess server, string socketDirectory, PostgresOptions options, TimeProvider clock) =>
        (this.plan, this.programs, this.server, this.socketDirectory, this.options, this.clock, superuser) = (plan, programs, server, socketDirectory, options, clock, options.Username);

    public IReadOnlyList<string> Description =>
    [
        $"PostgreSQL {programs.Version} in {programs.Directory}, process {server.Id}",
        server.IsCutOff ? "cut off from every network by the kernel; a socket in a private directory" : "no network address; a socket in a private directory",
        "no archiving, no replication in or out, no preloaded libraries, no autovacuum",
    ];

    public static async Task<PostgresRehearsal> StartAsync(
        PostgresRestorePlan plan, ServerPrograms programs, string privateDirectory, PostgresOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        var hba = Path.Combine(privateDirectory, "pg_hba.conf");
        var ident = Path.Combine(privateDirectory, "pg_ident.conf");
        await File.WriteAllTextAsync(hba, "local all all trust\n", cancellationToken);
        await File.WriteAllTextAsync(ident, "", cancellationToken);
        if (UnixFiles.IsRoot)
        {
            var (owner, group) = UnixFiles.Owner(plan.TargetDirectory);
            foreach (var path in (string[])[privateDirectory, hba, ident])
            {
                UnixFiles.ChangeOwner(path, owner, group);
            }
        }

        List<(string Name, string Value)> settings =
        [
            ("listen_addresses", ""), ("unix_socket_directories", privateDirectory), ("unix_socket_permissions", "0700"), ("port", $"{Port}"),
            ("hba_file", hba), ("ident_file", ident), ("external_pid_file", ""), ("ssl", "off"),
            ("archive_mode", "off"), ("archive_command", ""), ("primary_conninfo", ""), ("synchronous_standby_names", ""),
            ("max_logical_replication_workers", "0"), ("shared_preload_libraries", ""), ("session_preload_libraries", ""), ("local_preload_libraries", ""), ("autovacuum", "off"),
            ("logging_collector", "off"), ("log_destination", "stderr"), ("shared_buffers", "128MB"), ("huge_pages", "off"), ("hot_standby", "on"),
        ];
        if (int.Parse(programs.Version.Split('.')[0], CultureInfo.InvariantCulture) >= 17)
        {
            settings.Add(("sync_replication_slots", "off"));
        }

        var server = await RehearsalProcess.StartAsync(
            programs.Of("postgres"),
            ["-D", plan.TargetDirectory, .. settings.SelectMany(setting => new[] { "-c", $"{setting.Name}={setting.Value}" })],
            plan.TargetDirectory,
            Path.Combine(privateDirectory, "server.log"),
            clock,
            cancellationToken);
        var rehearsal = new PostgresRehearsal(plan, programs, server, privateDirectory, options, clock);
        try
        {
            await rehearsal.AwaitPromotionAsync(cancellationToken);
            return rehearsal;
        }
        catch
        {
            await rehearsal.DisposeAsync();
            throw;
        }
    }

    public async Task<string> AskAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await OpenAsync(options.Database, cancellationToken);
            return await connection.AskAsync(question, cancellationToken) ?? "";
        }
        catch (NpgsqlException refused)
        {
            throw new SourceException($"The copy does not answer '{question}': {refused.Message}", isPermanent: true, refused);
        }
    }

    public async Task<IReadOnlyList<RehearsalProof>> ProveAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        List<RehearsalProof> proofs = [];
        var began = Stopwatch.GetTimestamp();
        await using var connection = await OpenAsync(Maintenance, cancellationToken);
        var reached = await connection.AskAsync($"SELECT (pg_current_wal_lsn() >= '{plan.Stop.Record}'::pg_lsn)::text || ' ' || pg_current_wal_lsn()::text", cancellationToken) ?? "";
        proofs.Add(reached.StartsWith("true", StringComparison.Ordinal)
            ? new RehearsalProof("recovery", ProofVerdict.Proven, $"It recovered up to {plan.Target} and was promoted; its log is at {reached[5..]}.")
            : new RehearsalProof("recovery", ProofVerdict.Failed, $"Its log ends at {reached.Split(' ')[^1]}, before {plan.Stop.Record}."));

        var databases = await connection.ListAsync(StructureProof.Databases, cancellationToken);
        proofs.Add(await new CollationProof(OpenAsync).ProveAsync(connection, databases, cancellationToken));
        proofs.Add(await new StructureProof(OpenAsync, installs: true).ProveAsync(databases, () => budget - Stopwatch.GetElapsedTime(began), cancellationToken));
        return proofs;
    }

    public async Task<IRehearsalClient> ConnectAsync(string? statement, CancellationToken cancellationToken) =>
        await PostgresRehearsalClient.StartAsync(await OpenAsync(options.Database, cancellationToken), statement, cancellationToken);

    public async Task<IReadOnlyList<RehearsalProof>> StopAsync(CancellationToken cancellationToken)
    {
        var hasChecksums = await HasChecksumsAsync(cancellationToken);
        if (await server.StopAsync(FastShutdown, StopTime, cancellationToken) is not 0)
        {
            return [new RehearsalProof("stop", ProofVerdict.Failed, $"The copy did not stop in order: {server.LastWords()}")];
        }

        return
        [
            !hasChecksums ? new RehearsalProof("data checksums", ProofVerdict.NotLooked, "The cluster has none (initdb --data-checksums).")
                : !File.Exists(programs.Of("pg_checksums")) ? new RehearsalProof("data checksums", ProofVerdict.NotLooked, $"They are on, but {programs.Directory} has no pg_checksums to look at all of them.")
                : await ChecksumsAsync(cancellationToken),
        ];
    }

    /// <summary>Killed, it would leave what it shared in memory to the pod, whose <c>/dev/shm</c> is small.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!server.HasExited)
        {
            await server.StopAsync(ImmediateShutdown, ImmediateStopTime, CancellationToken.None);
        }

        await server.DisposeAsync();
    }

    private async Task<bool> HasChecksumsAsync(CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(Maintenance, cancellationToken);
        return await connection.AskAsync("SHOW data_checksums", cancellationToken) == "on";
    }

    private async Task<RehearsalProof> ChecksumsAsync(CancellationToken cancellationToken)
    {
        var log = Path.Combine(socketDirectory, "checksums.log");
        await using var check = await RehearsalProcess.StartAsync(programs.Of("pg_checksums"), ["--check", "-D", plan.TargetDirectory], plan.TargetDirectory, log, clock, cancellationToken);
        if (await check.AwaitEndAsync(ChecksumTime, cancellationToken) is not 0)
        {
            return check.HasExited
                ? new RehearsalProof("data checksums", ProofVerdict.Failed, check.LastWords())
                : new RehearsalProof("data checksums", ProofVerdict.NotLooked, $"pg_checksums was broken off after {ChecksumTime.TotalMinutes:F0} minutes.");
        }

        var blocks = File.ReadLines(log).FirstOrDefault(line => line.StartsWith("Blocks scanned", StringComparison.Ordinal))?.Split(':')[1].Trim();
        return new RehearsalProof("data checksums", ProofVerdict.Proven, $"pg_checksums read {blocks} blocks, all of them good.");
    }

    private async Task AwaitPromotionAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (server.HasExited)
            {
                throw new NotRestorableException($"The restored PostgreSQL did not recover: {server.LastWords()}");
            }

            try
            {
                await using var connection = await OpenAsync(Maintenance, cancellationToken);
                if (await connection.AskAsync("SELECT pg_is_in_recovery()::text", cancellationToken) == "false")
                {
                    superuser = await connection.AskAsync("SELECT rolname FROM pg_roles WHERE oid = 10", cancellationToken) ?? superuser;
                    return;
                }
            }
            catch (NpgsqlException unready) when (Recovers(unready))
            {
                // It is asked again.
            }
            catch (PostgresException refused)
            {
                throw new SourceException($"The restored PostgreSQL refused '{superuser}': {refused.MessageText}. Set Postgres:Username to a role that the cluster has.", isPermanent: true, refused);
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

    /// <summary>Whether it is not there yet, says that it is starting up, or had to cancel what it was asked because its replay was not to wait for the answer.</summary>
    internal static bool Recovers(NpgsqlException failure) =>
        failure is not PostgresException refused || refused.SqlState.StartsWith("57P", StringComparison.Ordinal) || refused.SqlState.StartsWith("40", StringComparison.Ordinal);

    private async Task<NpgsqlConnection> OpenAsync(string name, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = socketDirectory,
            Port = Port,
            Username = superuser,
            Database = name,
            Pooling = false,
            SslMode = Npgsql.SslMode.Disable,
            Timeout = 15,
            CommandTimeout = 0,
        }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }
}
