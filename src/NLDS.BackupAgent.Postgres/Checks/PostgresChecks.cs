using System.Globalization;
using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Checks;

/// <summary>Everything that backups of a cluster need of its server, looked at without changing anything.</summary>
internal sealed class PostgresChecks(PostgresOptions options, PostgresCatalog catalog, PostgresSql sql, TimeProvider clock)
{
    private static readonly string[] Settings =
        ["wal_level", "max_wal_senders", "max_replication_slots", "max_slot_wal_keep_size", "fsync", "full_page_writes", "synchronous_standby_names", "data_checksums", "server_version_num", "summarize_wal"];

    public async IAsyncEnumerable<CheckFinding> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (replication, server) = await TryAsync("replication connection", ConnectAsync, cancellationToken);
        yield return replication;
        if (server is not null)
        {
            yield return await JudgeRepositoryAsync(server, cancellationToken);
        }

        var (connection, found) = await TryAsync("SQL connection", ReadSettingsAsync, cancellationToken);
        yield return connection;
        if (found is null)
        {
            yield break;
        }

        if (options.FullBackup.FullEvery > 1)
        {
            yield return JudgeIncremental(found);
        }

        foreach (var finding in Judge(found))
        {
            yield return finding;
        }

        yield return await JudgeSlotAsync(found, cancellationToken);
    }

    private async Task<Server> ConnectAsync(CancellationToken cancellationToken)
    {
        await using var connection = await ReplicationConnection.OpenAsync(options.ToConnectionSettings(clock), cancellationToken);
        var identity = await connection.IdentifySystemAsync(cancellationToken);
        return new Server(identity, await connection.ShowWalSegmentSizeAsync(cancellationToken), connection.ServerVersion, connection.IsEncrypted);
    }

    private async Task<IReadOnlyDictionary<string, string>> ReadSettingsAsync(CancellationToken cancellationToken) =>
        await sql.SettingsAsync(Settings, cancellationToken);

    private async Task<(CheckFinding Finding, T? Value)> TryAsync<T>(string subject, Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            var value = await attempt(cancellationToken);
            return (new CheckFinding(subject, CheckVerdict.Good, value is Server server ? server.Describe(options) : $"works for {options.Username} on {options.Database}"), value);
        }
        catch (SourceException failure)
        {
            return (new CheckFinding(subject, CheckVerdict.Fault, failure.Message), null);
        }
        catch (Exception failure) when (PostgresFailure.IsExpected(failure))
        {
            return (new CheckFinding(subject, CheckVerdict.Fault, PostgresFailure.Explain(failure, options).Message), null);
        }
    }

    private async Task<CheckFinding> JudgeRepositoryAsync(Server server, CancellationToken cancellationToken)
    {
        try
        {
            var bound = await catalog.ReadIdentityAsync(cancellationToken);
            return bound is null
                ? new CheckFinding("cluster", CheckVerdict.Good, "the repository is not bound to a cluster yet; the first run binds it to this one")
                : bound.SystemIdentifier == server.Identity.SystemIdentifier
                    ? new CheckFinding("cluster", CheckVerdict.Good, $"the repository belongs to this cluster ({bound.SystemIdentifier})")
                    : new CheckFinding(
                        "cluster",
                        CheckVerdict.Fault,
                        $"the repository belongs to the cluster {bound.SystemIdentifier}, this server is {server.Identity.SystemIdentifier}. Use another Storage path or prefix.");
        }
        catch (Exception failure) when (failure.IsStoreFailure() || failure is NotRestorableException)
        {
            return new CheckFinding("cluster", CheckVerdict.Fault, failure.Message);
        }
    }

    /// <summary>Versions before 17 do not know the setting.</summary>
    private CheckFinding JudgeIncremental(IReadOnlyDictionary<string, string> found) =>
        IncrementalParents.WhyUnable(Number(found["server_version_num"]) / 10_000, found.GetValueOrDefault("summarize_wal", "off")) is { } why
            ? new CheckFinding("incremental backups", CheckVerdict.Warning, $"Postgres:FullBackup:FullEvery is {options.FullBackup.FullEvery}, but every backup will be a full one: {why}.")
            : new CheckFinding("incremental backups", CheckVerdict.Good, $"one backup of {options.FullBackup.FullEvery} is a full one");

    private IEnumerable<CheckFinding> Judge(IReadOnlyDictionary<string, string> found)
    {
        yield return found["wal_level"] == "minimal"
            ? new CheckFinding("wal_level", CheckVerdict.Fault, "is 'minimal': the log cannot be replayed. Set wal_level = replica and restart the server.")
            : new CheckFinding("wal_level", CheckVerdict.Good, found["wal_level"]);
        yield return Number(found["max_wal_senders"]) < 2
            ? new CheckFinding("max_wal_senders", CheckVerdict.Fault, $"is {found["max_wal_senders"]}: the WAL stream and a base backup need two. Raise it and restart the server.")
            : new CheckFinding("max_wal_senders", CheckVerdict.Good, found["max_wal_senders"]);
        foreach (var setting in (string[])["fsync", "full_page_writes"])
        {
            yield return found[setting] == "on"
                ? new CheckFinding(setting, CheckVerdict.Good, "on")
                : new CheckFinding(setting, CheckVerdict.Warning, "is off: after a crash the server may contradict its own log. Set it on.");
        }

        yield return found["data_checksums"] == "on"
            ? new CheckFinding("data_checksums", CheckVerdict.Good, "on")
            : new CheckFinding("data_checksums", CheckVerdict.Warning, "are off: damaged pages are backed up unnoticed. Enable them with pg_checksums when the server is stopped.");
        yield return found["max_slot_wal_keep_size"] == "-1"
            ? new CheckFinding(
                "max_slot_wal_keep_size", CheckVerdict.Warning,
                "is -1: while the agent is away the server keeps WAL without limit, until its disk is full. Set it to what the disk can spare, and watch the alerts.")
            : new CheckFinding("max_slot_wal_keep_size", CheckVerdict.Good, found["max_slot_wal_keep_size"]);
        var names = found["synchronous_standby_names"];
        if (names.Contains('*', StringComparison.Ordinal) || names.Contains(options.ApplicationName, StringComparison.Ordinal))
        {
            yield return options.Wal.Synchronous
                ? new CheckFinding("synchronous_standby_names", CheckVerdict.Good, $"'{names}': commits wait until they are in the repository")
                : new CheckFinding(
                    "synchronous_standby_names", CheckVerdict.Warning,
                    $"'{names}' makes commits wait for this agent, up to {options.Wal.FlushInterval} each. Set Postgres:Wal:Synchronous to true, or leave the agent out.");
        }
        else if (options.Wal.Synchronous)
        {
            yield return new CheckFinding(
                "synchronous_standby_names", CheckVerdict.Warning,
                $"does not name '{options.ApplicationName}', so no commit waits for the repository although Postgres:Wal:Synchronous is true.");
        }
    }

    private async Task<CheckFinding> JudgeSlotAsync(IReadOnlyDictionary<string, string> found, CancellationToken cancellationToken)
    {
        var slot = await sql.ReadSlotAsync(options.Slot, cancellationToken);
        if (slot is null)
        {
            var used = await sql.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots", cancellationToken);
            return used < Number(found["max_replication_slots"])
                ? new CheckFinding("replication slot", CheckVerdict.Good, $"'{options.Slot}' does not exist yet; the first run creates it")
                : new CheckFinding(
                    "replication slot", CheckVerdict.Fault,
                    $"'{options.Slot}' does not exist and all {used} slots are taken. Raise max_replication_slots and restart the server, or drop a slot that nobody uses.");
        }

        return slot switch
        {
            { Type: not "physical" } => new CheckFinding("replication slot", CheckVerdict.Fault, $"'{options.Slot}' is a {slot.Type} slot. Set Postgres:Slot to another name."),
            { WalStatus: "lost" } => new CheckFinding("replication slot", CheckVerdict.Fault, $"'{options.Slot}' is lost: the server removed WAL that it held. The agent will record a gap and take a base backup."),
            { WalStatus: "unreserved" } => new CheckFinding("replication slot", CheckVerdict.Warning, $"'{options.Slot}' is about to be lost: raise max_slot_wal_keep_size, and see why the agent is behind."),
            _ => new CheckFinding("replication slot", CheckVerdict.Good, $"'{options.Slot}' holds WAL from {slot.RestartLsn ?? "nothing yet"} on{(slot.Active ? ", and an agent streams from it" : "")}"),
        };
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private sealed record Server(SystemIdentity Identity, WalSegmentSize SegmentSize, string Version, bool IsEncrypted)
    {
        public string Describe(PostgresOptions options) =>
            $"PostgreSQL {Version} at {options.Host}:{options.Port}, timeline {Identity.Timeline}, WAL at {Identity.Position}, {(IsEncrypted ? "encrypted" : "not encrypted")}";
    }
}
