using NLDS.BackupAgent.Schedules;

namespace NLDS.BackupAgent.Features;

/// <summary>Where the schedule of one of a source's jobs stands in its options.</summary>
/// <param name="Job">The job's name in metrics and logs: <c>postgres-full</c>.</param>
/// <param name="Cron">The cron expression's place within the section: <c>FullBackup:Schedule</c>.</param>
/// <param name="TimeZone">The time zone's place within the section, when the source has one.</param>
/// <param name="Kind">What the job is for.</param>
internal sealed record ScheduleKeys(string Job, string Cron, string? TimeZone = null, JobKind Kind = JobKind.Backup);
