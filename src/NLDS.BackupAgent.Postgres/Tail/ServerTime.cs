using System.Globalization;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>A time setting as SHOW prints it: <c>1min</c>, <c>30s</c>, <c>500ms</c>, <c>0</c>.</summary>
internal static class ServerTime
{
    public static TimeSpan Parse(string text)
    {
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : text.Length;
        var number = long.Parse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture);
        return text[digits..] switch
        {
            "us" => TimeSpan.FromMicroseconds(number),
            "" or "ms" => TimeSpan.FromMilliseconds(number),
            "s" => TimeSpan.FromSeconds(number),
            "min" => TimeSpan.FromMinutes(number),
            "h" => TimeSpan.FromHours(number),
            "d" => TimeSpan.FromDays(number),
            var unit => throw new FormatException($"'{text}' has the unit '{unit}', which PostgreSQL does not use for times."),
        };
    }
}
