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
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan StopTime = TimeSpan.FromMinutes(2);
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
            return await ScalarAsync(connection, question, cancellationToken) ?? "";
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
        var reached = await ScalarAsync(
            connection, $"SELECT (pg_current_wal_lsn() >= '{plan.Stop.Record}'::pg_lsn)::text || ' ' || pg_current_wal_lsn()::text", cancellationToken) ?? "";
        proofs.Add(reached.StartsWith("true", StringComparison.Ordinal)
            ? new RehearsalProof("recovery", ProofVerdict.Proven, $"It recovered up to {plan.Target} and was promoted; its log is at {reached[5..]}.")
            : new RehearsalProof("recovery", ProofVerdict.Failed, $"Its log ends at {reached.Split(' ')[^1]}, before {plan.Stop.Record}."));

        var databases = await ListAsync(connection, "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1", cancellationToken);
        proofs.Add(await CollationsAsync(connection, databases, cancellationToken));
        proofs.Add(await StructuresAsync(databases, () => budget - Stopwatch.GetElapsedTime(began), cancellationToken));
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

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private async Task<bool> HasChecksumsAsync(CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(Maintenance, cancellationToken);
        return await ScalarAsync(connection, "SHOW data_checksums", cancellationToken) == "on";
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

    /// <summary>A text index is sorted by the rules of the C library or ICU that built it; under other rules searches in it fail silently.</summary>
    private async Task<RehearsalProof> CollationsAsync(NpgsqlConnection connection, IReadOnlyList<string> databases, CancellationToken cancellationToken)
    {
        List<string> different = [];
        if (connection.PostgreSqlVersion.Major >= 15)
        {
            different.AddRange(await ListAsync(
                connection,
                "SELECT 'database ' || datname || ' (' || datcollversion || ', here ' || pg_database_collation_actual_version(oid) || ')' FROM pg_database "
                + "WHERE datcollversion <> pg_database_collation_actual_version(oid)",
                cancellationToken));
        }

        foreach (var database in databases)
        {
            await using var inside = await OpenAsync(database, cancellationToken);
            different.AddRange(await ListAsync(
                inside,
                "SELECT 'collation ' || collname || ' of ' || current_database() || ' (' || collversion || ', here ' || pg_collation_actual_version(oid) || ')' FROM pg_collation "
                + "WHERE collversion <> pg_collation_actual_version(oid) AND oid IN (SELECT refobjid FROM pg_depend WHERE refclassid = 'pg_collation'::regclass)",
                cancellationToken));
        }

        return different.Count == 0
            ? new RehearsalProof("collation versions", ProofVerdict.Proven, "Sorting is the same here as where the data come from.")
            : new RehearsalProof(
                "collation versions",
                ProofVerdict.Finding,
                $"Sorting differs on this machine: {string.Join(", ", different.Take(4))}{(different.Count > 4 ? $" and {different.Count - 4} more" : "")}. "
                + "After a restore to a machine like this one, REINDEX the indexes on text, and ALTER … REFRESH VERSION.");
    }

    /// <summary>Every heap and every B-tree by amcheck, as long as the budget lasts.</summary>
    private async Task<RehearsalProof> StructuresAsync(IReadOnlyList<string> databases, Func<TimeSpan> left, CancellationToken cancellationToken)
    {
        var (heaps, indexes, broken) = (0, 0, new List<string>());
        foreach (var database in databases)
        {
            await using var inside = await OpenAsync(database, cancellationToken);
            if (await ScalarAsync(inside, "SELECT name FROM pg_available_extensions WHERE name = 'amcheck'", cancellationToken) is null)
            {
                return new RehearsalProof("heaps and B-trees", ProofVerdict.NotLooked, "The extension amcheck is not on this machine (postgresql-contrib).");
            }

            await ScalarAsync(inside, "CREATE SCHEMA nlds_drill; CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA nlds_drill", cancellationToken);
            var schema = await ScalarAsync(inside, "SELECT quote_ident(nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'amcheck'", cancellationToken);
            var relations = await ListAsync(
                inside,
                "SELECT c.oid::text || ' ' || c.relkind::text || ' ' || c.oid::regclass::text FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_am a ON a.oid = c.relam "
                + "WHERE c.relpersistence = 'p' AND ((c.relkind IN ('r', 't', 'm') AND a.amname = 'heap') OR (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid)) ORDER BY pg_relation_size(c.oid)",
                cancellationToken);
            foreach (var relation in relations.Select(line => line.Split(' ', 3)))
            {
                if (left() <= TimeSpan.Zero)
                {
                    return Verdict($"The time for it ran out in {database}.");
                }

                var isIndex = relation[1] == "i";
                (heaps, indexes) = isIndex ? (heaps, indexes + 1) : (heaps + 1, indexes);
                try
                {
                    var wrong = isIndex
                        ? await ScalarAsync(inside, $"SELECT {schema}.bt_index_check({relation[0]})", cancellationToken)
                        : await ScalarAsync(inside, $"SELECT msg FROM {schema}.verify_heapam({relation[0]}) LIMIT 1", cancellationToken);
                    if (!string.IsNullOrEmpty(wrong))
                    {
                        broken.Add($"{database}: {relation[2]}: {wrong}");
                    }
                }
                catch (PostgresException damage)
                {
                    broken.Add($"{database}: {relation[2]}: {damage.MessageText}");
                }
            }
        }

        return Verdict(null);

        RehearsalProof Verdict(string? cut)
        {
            var looked = $"amcheck looked at {heaps} heaps and {indexes} B-trees in {databases.Count} databases";
            return broken.Count > 0
                ? new RehearsalProof("heaps and B-trees", ProofVerdict.Failed, $"{looked}; {broken.Count} are damaged: {string.Join("; ", broken.Take(3))}.")
                : cut is null
                    ? new RehearsalProof("heaps and B-trees", ProofVerdict.Proven, $"{looked}, all of them sound.")
                    : new RehearsalProof("heaps and B-trees", ProofVerdict.NotLooked, $"{looked}, those sound. {cut}");
        }
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
                if (await ScalarAsync(connection, "SELECT pg_is_in_recovery()::text", cancellationToken) == "false")
                {
                    superuser = await ScalarAsync(connection, "SELECT rolname FROM pg_roles WHERE oid = 10", cancellationToken) ?? superuser;
                    return;
                }
            }
            catch (NpgsqlException starting) when (starting is not PostgresException refused || refused.SqlState.StartsWith("57P", StringComparison.Ordinal))
            {
                // It is not there yet, or says that it is starting up.
            }
            catch (PostgresException refused)
            {
                throw new SourceException($"The restored PostgreSQL refused '{superuser}': {refused.MessageText}. Set Postgres:Username to a role that the cluster has.", isPermanent: true, refused);
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

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

    private static async Task<string?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        var value = await command.ExecuteScalarAsync(cancellationToken);
        return AnswerText.Of(value);
    }

    private static async Task<IReadOnlyList<string>> ListAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = new List<string>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }
}
