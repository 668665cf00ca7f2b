using System.Globalization;
using NLDS.BackupAgent.Postgres.Protocol;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>A time setting as SHOW prints it: <c>1min</c>, <c>30s</c>, <c>500ms</c>, <c>0</c>.</summary>
internal static class ServerTime
{
    /// <exception cref="ProtocolException">It is none.</exception>
    public static TimeSpan Parse(string text)
    {
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : text.Length;
        var unit = text[digits..] switch
        {
            "us" => TimeSpan.TicksPerMicrosecond,
            "" or "ms" => TimeSpan.TicksPerMillisecond,
            "s" => TimeSpan.TicksPerSecond,
            "min" => TimeSpan.TicksPerMinute,
            "h" => TimeSpan.TicksPerHour,
            "d" => TimeSpan.TicksPerDay,
            var other => throw new ProtocolException($"'{text}' has the unit '{other}', which PostgreSQL does not use for times."),
        };
        return long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= TimeSpan.MaxValue.Ticks / unit
            ? new TimeSpan(number * unit)
            : throw new ProtocolException($"'{text}' is not a time as PostgreSQL prints one.");
    }
}
