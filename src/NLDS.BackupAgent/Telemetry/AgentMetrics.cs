using System.Diagnostics.Metrics;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Forecast;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>
/// The series of the contract, each read from its source of truth when somebody asks. Names carry no unit of OpenTelemetry's, because an exporter would
/// put it into the name. Only enabled sources have series.
/// </summary>
internal sealed class AgentMetrics
{
    public const string MeterName = "NLDS.BackupAgent";

    private readonly SourceCatalog sources;
    private readonly JobLedger ledger;
    private readonly CatalogView catalog;
    private readonly TimeProvider time;
    private readonly Dictionary<string, long> mostGaps = [];
    private readonly Dictionary<Job, DateTimeOffset> firstDue = [];
    private readonly AsyncLocal<bool> firstScrape = new();

    public AgentMetrics(IMeterFactory meters, SourceCatalog sources, JobLedger ledger, CatalogView catalog, TimeProvider time, DrillHistory? drills = null, RestoreForecast? forecast = null)
    {
        (this.sources, this.ledger, this.catalog, this.time) = (sources, ledger, catalog, time);
        var meter = meters.Create(MeterName);
        var now = time.GetUtcNow();
        foreach (var job in ledger.Jobs)
        {
            if (job.Schedule?.Cron.GetNextValidTimeAfter(now) is { } due)
            {
                firstDue[job] = due;
            }
        }

        meter.CreateObservableGauge("backup_agent_info", () => new Measurement<long>(1, KeyValuePair.Create<string, object?>("version", VersionCommand.Version)), null, "1 for a running agent.");
        meter.CreateObservableGauge("backup_source_info", SourceInfo, null, "1 for an enabled source; log tells whether it is backed up continuously.");
        meter.CreateObservableCounter("backup_job_failures_total", () => PerJob(Failures), null, "Failed runs of the job.");
        meter.CreateObservableGauge("backup_job_first_due_timestamp", () => PerJob(job => firstDue.TryGetValue(job, out var due) ? Unix(due) : null), null, "Unix time of the first firing of the job's schedule after this process began.");
        meter.CreateObservableGauge("backup_job_last_success_timestamp", () => PerJob(JobLastSuccess), null, "Unix time of the job's newest success.");
        meter.CreateObservableGauge("backup_job_expected_interval_seconds", () => PerJob(ExpectedInterval), null, "Longest time between two firings of the job's schedule.");
        meter.CreateObservableGauge("backup_job_duration_seconds", () => PerJob(job => ledger[job].LastDuration?.TotalSeconds), null, "How long the job's last run took.");
        meter.CreateObservableGauge("backup_last_success_timestamp", () => PerSource(LastSuccess), null, "Unix time of the source's newest success; a durable log position counts.");
        meter.CreateObservableGauge("backup_recoverable_until_timestamp", () => PerSource(entry => Unix(RecoverableUntil(entry))), null, "Unix time of the newest moment that a restore would reach.");
        meter.CreateObservableGauge("backup_recovery_point_lag_seconds", () => PerSource(Lag), null, "How far behind now a restore would end.");
        meter.CreateObservableGauge("backup_restore_estimate_seconds", () => PerSource(entry => (forecast is null ? entry.Continuous?.Status.RestoreEstimate : forecast.For(entry.Name, entry.Continuous?.Status.RestoreEstimate))?.TotalSeconds), null, "How long a restore to the newest moment should take now.");
        meter.CreateObservableCounter("backup_log_gaps_total", () => PerSource(Gaps), null, "Gaps in the log since the repository began.");
        meter.CreateObservableGauge("backup_log_last_gap_timestamp", () => PerSource(entry => Unix(catalog[entry.Name]?.Log?.Gaps.Max(gap => gap.RecordedAt))), null, "Unix time at which the newest gap in the log was recorded; absent while there is none.");
        meter.CreateObservableGauge("backup_log_room_bytes", () => PerTail(tail => (double?)tail.LogRoomBytes), null, "How much more of its log the server keeps for the agent before a gap; absent while it keeps everything.");
        meter.CreateObservableGauge("backup_log_room_limit_bytes", () => PerTail(tail => (double?)tail.LogRoomLimitBytes), null, "The most of its log that the server keeps for the agent; absent while it keeps everything.");
        meter.CreateObservableGauge("backup_log_durable_position", () => PerTail(tail => (double?)tail.DurablePosition), null, "Everything of the log before this position is durable.");
        meter.CreateObservableGauge("backup_log_lag_bytes", () => PerTail(LagBytes), null, "What the server has written of its log beyond the durable position.");
        meter.CreateObservableGauge("backup_verified_timestamp", () => PerSource(entry => Unix(catalog[entry.Name]?.NewestVerified?.Manifest.Ended)), null, "Unix time of the newest backup that was read back whole.");
        meter.CreateObservableGauge("backup_damaged_objects", () => PerSource(entry => (double?)catalog[entry.Name]?.Verification?.Report.Damage.Count), null, "What the last verification of this process found damaged or missing.");
        meter.CreateObservableGauge("backup_size_bytes", () => PerSource(entry => (double?)catalog[entry.Name]?.Newest?.WholeBytes), null, "Content of the source's newest backup.");
        meter.CreateObservableGauge("backup_omissions", () => PerSource(entry => catalog[entry.Name]?.Newest?.Omissions.Count), null, "What the source's newest backup lacks although it should have it; 0 when it is whole.");
        meter.CreateObservableCounter("backup_stored_bytes_total", () => PerSource(entry => catalog[entry.Name]?.StoredBytes), null, "Stored size of the source's backups: those found at start and all since.");
        if (drills is not null)
        {
            meter.CreateObservableGauge("dr_drill_last_success_timestamp", () => One(Unix(drills.LastPassed?.Ended)), null, "Unix time of the last drill that passed.");
            meter.CreateObservableGauge("dr_drill_recovery_time_seconds", () => One(drills.Last?.RecoveryTimeSeconds), null, "How long the last drill's recovery took.");
            meter.CreateObservableGauge("dr_drill_recovery_point_seconds", () => One(drills.Last?.RecoveryPointSeconds), null, "What a disaster at the last drill's beginning would have cost.");
        }
    }

    /// <summary>
    /// For what <paramref name="read"/> collects, failures are those of earlier processes: a scraper that asks for the first time must not meet a counter that is
    /// born with a failure, because no rate over it would ever show that one.
    /// </summary>
    public T ForFirstScrape<T>(Func<T> read)
    {
        firstScrape.Value = true;
        try
        {
            return read();
        }
        finally
        {
            firstScrape.Value = false;
        }
    }

    private long? Failures(Job job) => firstScrape.Value ? ledger[job].EarlierFailures : ledger[job].Failures;

    private List<Measurement<long>> SourceInfo() =>
        [.. sources.Enabled.Select(entry => new Measurement<long>(
            1,
            KeyValuePair.Create<string, object?>("source", entry.Name),
            KeyValuePair.Create<string, object?>("log", entry.Continuous is null ? "false" : "true")))];

    /// <summary>Nothing is said until the repository or the tail has counted them, and the count never falls, although pruning removes old gaps.</summary>
    private long? Gaps(SourceEntry entry)
    {
        var known = catalog[entry.Name]?.Log?.Gaps.Count ?? (catalog[entry.Name] is null ? null : 0);
        if (entry.Continuous?.Status is not { } tail || (known is null && tail.DurablePosition is null))
        {
            return null;
        }

        lock (mostGaps)
        {
            var most = Math.Max(Math.Max(known ?? 0, tail.Gaps), mostGaps.GetValueOrDefault(entry.Name));
            mostGaps[entry.Name] = most;
            return most;
        }
    }

    private static Measurement<double>[] One(double? value) => value is { } known ? [new Measurement<double>(known)] : [];

    private List<Measurement<T>> PerJob<T>(Func<Job, T?> read)
        where T : struct => Measure(ledger.Jobs, read, "backup_job", job => job.Name);

    private List<Measurement<T>> PerSource<T>(Func<SourceEntry, T?> read)
        where T : struct => Measure(sources.Enabled, read, "source", entry => entry.Name);

    private List<Measurement<T>> PerTail<T>(Func<ContinuousStatus, T?> read)
        where T : struct => PerSource(entry => entry.Continuous is { } tail ? read(tail.Status) : null);

    private static List<Measurement<T>> Measure<TItem, T>(IEnumerable<TItem> items, Func<TItem, T?> read, string label, Func<TItem, string> name)
        where T : struct =>
        [.. items.Select(item => (Name: name(item), Value: read(item)))
            .Where(sample => sample.Value is not null)
            .Select(sample => new Measurement<T>(sample.Value!.Value, KeyValuePair.Create<string, object?>(label, sample.Name)))];

    private double? JobLastSuccess(Job job) => Unix(catalog.LastSuccess(job, ledger[job]));

    private double? ExpectedInterval(Job job) => job.Schedule?.ExpectedInterval(time.GetUtcNow())?.TotalSeconds;

    private double? LastSuccess(SourceEntry entry) => Unix(Later(catalog[entry.Name]?.Newest?.CurrentAt, LogConfirmed(entry)));

    /// <summary>Until the tail has said where it stands, what the repository's log allowed when it was read.</summary>
    private DateTimeOffset? RecoverableUntil(SourceEntry entry) =>
        entry.Continuous?.Status.RecoverableUntil ?? Later(catalog[entry.Name]?.Log?.RestorableTo, catalog[entry.Name]?.Newest is { } newest ? newest.UnchangedAt ?? newest.Id.Began : null);

    private double? Lag(SourceEntry entry) =>
        (LogConfirmed(entry) ?? RecoverableUntil(entry)) is { } reached ? Math.Max(0, (time.GetUtcNow() - reached).TotalSeconds) : null;

    /// <summary>When, by this clock, it was last known that a restore would reach the server's present.</summary>
    private DateTimeOffset? LogConfirmed(SourceEntry entry) =>
        entry.Continuous?.Status is { RecoverableUntil: not null } tail ? tail.ConfirmedAt : catalog[entry.Name]?.Log?.RestorableTo;

    private static double? LagBytes(ContinuousStatus tail) =>
        tail is { ServerPosition: { } server, DurablePosition: { } durable } ? (server > durable ? server - durable : 0) : null;

    private static DateTimeOffset? Later(DateTimeOffset? one, DateTimeOffset? other) => one is null || other > one ? other : one;

    private static double? Unix(DateTimeOffset? moment) => moment?.ToUnixTimeMilliseconds() / 1000.0;
}
