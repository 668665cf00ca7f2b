using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using Quartz;

namespace NLDS.BackupAgent.Schedules;

/// <summary>When a source's backups are due.</summary>
/// <param name="Source">The source's name.</param>
/// <param name="Job">The job's name in metrics: <c>postgres-full</c>.</param>
/// <param name="Cron">The expression, with its time zone.</param>
internal sealed record SnapshotSchedule(string Source, string Job, CronExpression Cron)
{
    private const string Example = "\"0 0 2 * * ?\" (second minute hour day month weekday: every day at 02:00)";

    /// <summary>Null when the source has no schedule or its key is blank.</summary>
    public static SnapshotSchedule? Of(Feature feature, object options)
    {
        if (feature.Schedule is not { } keys || OptionPath.Read(options, keys.Cron) is not string { Length: > 0 } cron)
        {
            return null;
        }

        var zone = TimeZoneName(keys, options) is { } name ? TimeZoneInfo.FindSystemTimeZoneById(name) : TimeZoneInfo.Utc;
        return new SnapshotSchedule(feature.Source!, keys.Job, new CronExpression(cron, zone));
    }

    public static IEnumerable<ConfigurationFault> Faults(Feature feature, object options)
    {
        if (feature.Schedule is not { } keys)
        {
            yield break;
        }

        if (OptionPath.Read(options, keys.Cron) is string { Length: > 0 } cron && WhyNotCron(cron) is { } reason)
        {
            yield return new ConfigurationFault(
                $"{feature.Section}:{keys.Cron}", $"is '{cron}', which is not a Quartz cron expression ({reason}). Write for example {Example}.");
        }

        if (TimeZoneName(keys, options) is { } zone && !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _))
        {
            yield return new ConfigurationFault(
                $"{feature.Section}:{keys.TimeZone}", $"is '{zone}', which is not a time zone of this machine. Write for example UTC or Europe/Berlin.");
        }
    }

    /// <summary>The longest time between two firings among the next few, which is what an alert on a missing one has to wait for.</summary>
    public TimeSpan? ExpectedInterval(DateTimeOffset now)
    {
        const int firings = 8;
        TimeSpan? longest = null;
        var earlier = Cron.GetNextValidTimeAfter(now);
        for (var i = 0; i < firings && earlier is { } from && Cron.GetNextValidTimeAfter(from) is { } next; i++)
        {
            longest = longest > next - from ? longest : next - from;
            earlier = next;
        }

        return longest;
    }

    private static string? TimeZoneName(ScheduleKeys keys, object options) =>
        keys.TimeZone is { } path && OptionPath.Read(options, path) is string { Length: > 0 } name ? name : null;

    private static string? WhyNotCron(string cron)
    {
        try
        {
            CronExpression.Parse(cron);
            return null;
        }
        catch (FormatException malformed)
        {
            return malformed.Message.TrimEnd('.');
        }
    }
}
