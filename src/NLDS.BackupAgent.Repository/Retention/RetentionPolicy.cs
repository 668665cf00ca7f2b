using System.Globalization;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>
/// How much of one source is kept; restic's semantics. Counts are of days, weeks and months that have a backup, so an outage consumes nothing.
/// </summary>
public sealed record RetentionPolicy
{
    /// <summary>A count without a limit.</summary>
    public const int All = -1;

    /// <summary>The strategy document's: 30 daily, 12 weekly, 12 monthly, and every moment of the last seven days.</summary>
    public static RetentionPolicy Standard { get; } =
        new() { KeepDaily = 30, KeepWeekly = 12, KeepMonthly = 12, RecoveryWindow = TimeSpan.FromDays(7) };

    public int KeepLast { get; init; }

    public TimeSpan KeepWithin { get; init; }

    public int KeepDaily { get; init; }

    public int KeepWeekly { get; init; }

    public int KeepMonthly { get; init; }

    /// <summary>See <see cref="RetentionRules.RecoveryWindow"/>; it keeps the backup that it begins with, and no other.</summary>
    public TimeSpan RecoveryWindow { get; init; }

    /// <summary>It would keep no backup but the newest.</summary>
    public bool IsEmpty => KeepLast == 0 && KeepWithin == TimeSpan.Zero && KeepDaily == 0 && KeepWeekly == 0 && KeepMonthly == 0;

    /// <summary>The first that says something of a key counts: the source's section, the common section, the source's default.</summary>
    public static RetentionPolicy Of(RetentionRules source, RetentionRules common, RetentionPolicy fallback) => new()
    {
        KeepLast = source.KeepLast ?? common.KeepLast ?? fallback.KeepLast,
        KeepWithin = source.KeepWithin ?? common.KeepWithin ?? fallback.KeepWithin,
        KeepDaily = source.KeepDaily ?? common.KeepDaily ?? fallback.KeepDaily,
        KeepWeekly = source.KeepWeekly ?? common.KeepWeekly ?? fallback.KeepWeekly,
        KeepMonthly = source.KeepMonthly ?? common.KeepMonthly ?? fallback.KeepMonthly,
        RecoveryWindow = source.RecoveryWindow ?? common.RecoveryWindow ?? fallback.RecoveryWindow,
    };

    /// <summary>As people say it: <c>30 daily, 12 weekly, 12 monthly</c>.</summary>
    public override string ToString()
    {
        List<string> parts = [];
        if (KeepLast != 0)
        {
            parts.Add(KeepLast == All ? "all" : string.Create(CultureInfo.InvariantCulture, $"last {KeepLast}"));
        }

        if (KeepWithin > TimeSpan.Zero)
        {
            parts.Add($"within {Words(KeepWithin)}");
        }

        Add("daily", KeepDaily);
        Add("weekly", KeepWeekly);
        Add("monthly", KeepMonthly);
        return parts.Count > 0 ? string.Join(", ", parts) : "nothing";

        void Add(string name, int count)
        {
            if (count != 0)
            {
                parts.Add(count == All ? $"all {name}" : string.Create(CultureInfo.InvariantCulture, $"{count} {name}"));
            }
        }
    }

    /// <summary><c>7d</c>, <c>1d12h</c>, <c>90m</c> as <c>1h30m</c>.</summary>
    internal static string Words(TimeSpan time)
    {
        var parts = new (int Count, string Unit)[] { (time.Days, "d"), (time.Hours, "h"), (time.Minutes, "m"), (time.Seconds, "s") };
        var words = string.Concat(parts.Where(part => part.Count != 0).Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Count}{part.Unit}")));
        return words.Length > 0 ? words : "0s";
    }
}
