using System.Globalization;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>A backup's name within its source: the UTC second at which it began, <c>yyyyMMdd_HHmmss</c>, or one behind the last that was taken. Ids order as backups were made.</summary>
public readonly record struct BackupId : IComparable<BackupId>
{
    private const string Format = "yyyyMMdd_HHmmss";

    private BackupId(DateTimeOffset second) => Began = second;

    /// <summary>The second that it names.</summary>
    public DateTimeOffset Began { get; }

    public static BackupId At(DateTimeOffset time) =>
        new(new DateTimeOffset(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero));

    /// <summary>The second of this time, or the next that none of these names.</summary>
    public static BackupId FirstFree(DateTimeOffset time, IReadOnlySet<string> taken)
    {
        var id = At(time);
        while (taken.Contains(id.ToString()))
        {
            id = id.Next();
        }

        return id;
    }

    public static bool TryParse(string? text, out BackupId id)
    {
        var parsed = DateTimeOffset.TryParseExact(
            text, Format, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var began);
        id = parsed ? new BackupId(began) : default;
        return parsed;
    }

    public BackupId Next() => new(Began.AddSeconds(1));

    public int CompareTo(BackupId other) => Began.CompareTo(other.Began);

    public static bool operator <(BackupId left, BackupId right) => left.Began < right.Began;

    public static bool operator >(BackupId left, BackupId right) => left.Began > right.Began;

    public static bool operator <=(BackupId left, BackupId right) => left.Began <= right.Began;

    public static bool operator >=(BackupId left, BackupId right) => left.Began >= right.Began;

    public override string ToString() => Began.ToString(Format, CultureInfo.InvariantCulture);
}
