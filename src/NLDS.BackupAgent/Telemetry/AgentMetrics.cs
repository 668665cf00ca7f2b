using System.Diagnostics.Metrics;
using NLDS.BackupAgent.Features;
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

    public AgentMetrics(IMeterFactory meters, SourceCatalog sources, JobLedger ledger, CatalogView catalog, TimeProvider time)
    {
        (this.sources, this.ledger, this.catalog, this.time) = (sources, ledger, catalog, time);
        var meter = meters.Create(MeterName);
        meter.CreateObservableCounter("backup_job_failures_total", () => PerJob(job => ledger[job].Failures), null, "Failed runs of the job.");
        meter.CreateObservableGauge("backup_job_last_success_timestamp", () => PerJob(JobLastSuccess), null, "Unix time of the job's newest success.");
        meter.CreateObservableGauge("backup_job_expected_interval_seconds", () => PerJob(ExpectedInterval), null, "Longest time between two firings of the job's schedule.");
        meter.CreateObservableGauge("backup_job_duration_seconds", () => PerJob(job => ledger[job].LastDuration?.TotalSeconds), null, "How long the job's last run took.");
        meter.CreateObservableGauge("backup_last_success_timestamp", () => PerSource(LastSuccess), null, "Unix time of the source's newest success; a durable log position counts.");
        meter.CreateObservableGauge("backup_recoverable_until_timestamp", () => PerSource(entry => Unix(RecoverableUntil(entry))), null, "Unix time of the newest moment that a restore would reach.");
        meter.CreateObservableGauge("backup_recovery_point_lag_seconds", () => PerSource(Lag), null, "How far behind now a restore would end.");
        meter.CreateObservableGauge("backup_restore_estimate_seconds", () => PerTail(tail => tail.RestoreEstimate?.TotalSeconds), null, "How long a restore to the newest moment should take now.");
        meter.CreateObservableCounter("backup_log_gaps_total", () => PerTail<long>(tail => tail.Gaps), null, "Gaps in the log since the repository began.");
        meter.CreateObservableGauge("backup_log_durable_position", () => PerTail(tail => (double?)tail.DurablePosition), null, "Everything of the log before this position is durable.");
        meter.CreateObservableGauge("backup_log_lag_bytes", () => PerTail(LagBytes), null, "What the server has written of its log beyond the durable position.");
        meter.CreateObservableGauge("backup_verified_timestamp", () => PerSource(entry => Unix(catalog[entry.Name]?.NewestVerified?.Manifest.Ended)), null, "Unix time of the newest backup that was read back whole.");
        meter.CreateObservableGauge("backup_size_bytes", () => PerSource(entry => (double?)catalog[entry.Name]?.Newest?.ContentBytes), null, "Content of the source's newest backup.");
        meter.CreateObservableGauge("backup_omissions", () => PerSource(entry => catalog[entry.Name]?.Newest?.Omissions.Count), null, "What the source's newest backup lacks although it should have it; 0 when it is whole.");
        meter.CreateObservableCounter("backup_stored_bytes_total", () => PerSource(entry => catalog[entry.Name]?.StoredBytes), null, "Stored size of the source's backups: those found at start and all since.");
    }

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
