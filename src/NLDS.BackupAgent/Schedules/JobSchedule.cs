using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using Quartz;

namespace NLDS.BackupAgent.Schedules;

/// <summary>When a job is due.</summary>
/// <param name="Source">The source's name.</param>
/// <param name="Job">The job's name in metrics: <c>postgres-full</c>.</param>
/// <param name="Kind">What the job is for.</param>
/// <param name="Cron">The expression, with its time zone.</param>
internal sealed record JobSchedule(string Source, string Job, JobKind Kind, CronExpression Cron)
{
    private const string Example = "\"0 0 2 * * ?\" (second minute hour day month weekday: every day at 02:00)";

    /// <summary>The source's schedules whose keys are not blank.</summary>
    /// <param name="feature">The source's own, or one whose schedules are of a job of every source.</param>
    /// <param name="options">The feature's.</param>
    /// <param name="source">The source's name.</param>
    public static IEnumerable<JobSchedule> Of(Feature feature, object options, string source)
    {
        foreach (var keys in feature.Schedules)
        {
            if (OptionPath.Read(options, keys.Cron) is string { Length: > 0 } cron)
            {
                var zone = TimeZoneName(keys, options) is { } name ? TimeZoneInfo.FindSystemTimeZoneById(name) : TimeZoneInfo.Utc;
                yield return new JobSchedule(source, feature.Source is null && !feature.HasOneJob ? $"{source}-{keys.Job}" : keys.Job, keys.Kind, new CronExpression(cron, zone));
            }
        }
    }

    public static IEnumerable<ConfigurationFault> Faults(Feature feature, object options) =>
        feature.Schedules.SelectMany(keys => Faults(feature, keys, options));

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

    private static IEnumerable<ConfigurationFault> Faults(Feature feature, ScheduleKeys keys, object options)
    {
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
