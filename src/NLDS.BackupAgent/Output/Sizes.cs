using System.Globalization;

namespace NLDS.BackupAgent.Output;

/// <summary>Bytes and durations as people read them.</summary>
internal static class Sizes
{
    private static readonly string[] Units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    public static string Bytes(double count)
    {
        if (count < 1024)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{count:0} B");
        }

        var unit = -1;
        do
        {
            count /= 1024;
            unit++;
        }
        while (count >= 1023.95 && unit < Units.Length - 1);

        return string.Create(CultureInfo.InvariantCulture, $"{count:0.0} {Units[unit]}");
    }

    /// <summary>The two largest units: <c>3 d 4 h</c>, <c>2 min 5 s</c>, <c>0 s</c>.</summary>
    public static string Duration(TimeSpan time)
    {
        var seconds = (long)Math.Max(0, time.TotalSeconds);
        return seconds switch
        {
            < 60 => $"{seconds} s",
            < 3600 => $"{seconds / 60} min {seconds % 60} s",
            < 86400 => $"{seconds / 3600} h {seconds % 3600 / 60} min",
            _ => $"{seconds / 86400} d {seconds % 86400 / 3600} h",
        };
    }

    public static string Time(DateTimeOffset? time) =>
        time is { } known ? known.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "–";
}
