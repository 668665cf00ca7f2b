using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Health;

/// <summary>Gathers the status from whoever knows it.</summary>
internal sealed class StatusReport(
    AgentConfiguration configuration,
    SourceCatalog sources,
    TailSupervisor supervisor,
    Readiness readiness,
    JobLedger ledger,
    CatalogView catalog,
    TimeProvider time,
    IObjectStore? store = null)
{
    private readonly DateTimeOffset started = time.GetUtcNow();

    public StatusDocument Now()
    {
        var reasons = readiness.Peek();
        return new StatusDocument
        {
            Instance = configuration.Agent.Instance,
            Version = VersionCommand.Version,
            Started = started,
            Now = time.GetUtcNow(),
            Ready = reasons.Count == 0,
            NotReady = reasons,
            Store = store?.Description,
            Sources = [.. sources.Enabled.Select(Of)],
            Jobs = [.. ledger.Jobs.Select(Of)],
        };
    }

    private SourceStatus Of(SourceEntry entry) => new()
    {
        Name = entry.Name,
        Backups = catalog[entry.Name]?.Backups,
        Newest = catalog[entry.Name]?.Newest is { } newest ? BackupSummary.Of(newest) : null,
        NewestVerified = catalog[entry.Name]?.NewestVerified is { } verified ? BackupSummary.Of(verified) : null,
        Recent = [.. (catalog[entry.Name]?.Recent ?? []).Select(BackupSummary.Of)],
        RestorableFrom = catalog[entry.Name]?.Log?.RestorableFrom,
        RestorableTo = catalog[entry.Name]?.Log?.RestorableTo,
        Spans = catalog[entry.Name]?.Log?.Spans ?? [],
        Gaps = catalog[entry.Name]?.Log?.Gaps ?? [],
        RestoreEstimateSeconds = entry.Continuous?.Status.RestoreEstimate?.TotalSeconds,
        VerificationEnded = catalog[entry.Name]?.Verification?.At,
        Damage = catalog[entry.Name]?.Verification?.Report.Damage ?? [],
        Log = supervisor.Loops.FirstOrDefault(loop => loop.Source == entry.Continuous) is { } loop ? Of(loop) : null,
    };

    private static TailStatus Of(TailLoop loop)
    {
        var status = loop.Source.Status;
        return new TailStatus
        {
            State = loop.Fault is null ? status.State : "waiting to be tried again",
            IsStreaming = loop.IsStreaming,
            Lineage = status.Lineage,
            DurablePosition = status.DurablePosition,
            ServerPosition = status.ServerPosition,
            RecoverableUntil = status.RecoverableUntil,
            ConfirmedAt = status.ConfirmedAt,
            Gaps = status.Gaps,
            SnapshotNeeded = status.SnapshotNeeded,
            LastError = loop.Fault ?? status.LastError,
            Restarts = loop.Restarts,
        };
    }

    private JobStatus Of(Job job)
    {
        var now = time.GetUtcNow();
        var state = ledger[job];
        return new JobStatus
        {
            Name = job.Name,
            Source = job.Entry.Name,
            Kind = job.Kind,
            Schedule = job.Schedule is { } schedule ? $"{schedule.Cron.CronExpressionString} ({schedule.Cron.TimeZone.Id})" : null,
            NextRun = job.Schedule?.Cron.GetNextValidTimeAfter(now),
            RunningSince = state.RunningSince,
            Progress = state is { RunningSince: { } since, Progress: { } progress } ? ProgressLine.Of(progress, now - since) : null,
            ExpectedIntervalSeconds = job.Schedule?.ExpectedInterval(now)?.TotalSeconds,
            LastSuccess = catalog.LastSuccess(job, state),
            LastDurationSeconds = state.LastDuration?.TotalSeconds,
            Failures = state.Failures,
            LastError = state.LastError,
            Runs = [.. state.Runs.Reverse()],
        };
    }
}
