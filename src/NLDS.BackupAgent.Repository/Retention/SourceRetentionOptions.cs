namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Section <c>SOURCE:Retention</c>: what differs for one source, and when it is pruned.</summary>
public sealed class SourceRetentionOptions : RetentionRules
{
    /// <summary>A Quartz cron expression; the default is daily at 04:30, when the night's backup is done. Empty for never.</summary>
    public string Schedule { get; set; } = "0 30 4 * * ?";

    /// <summary>IANA name of the schedule's time zone. Days, weeks and months are counted in UTC all the same.</summary>
    public string TimeZone { get; set; } = "UTC";
}
