namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>PostgreSQL's clock: microseconds since the beginning of the year 2000 in UTC.</summary>
internal static class PostgresTime
{
    private static readonly DateTimeOffset Epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly long Earliest = (DateTimeOffset.MinValue - Epoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static readonly long Latest = (DateTimeOffset.MaxValue - Epoch).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>PostgreSQL's calendar is longer than .NET's; what lies outside becomes the nearer end of .NET's, since a server's clock is nobody's promise.</summary>
    public static DateTimeOffset From(long microseconds) => Epoch.AddTicks(Math.Clamp(microseconds, Earliest, Latest) * TimeSpan.TicksPerMicrosecond);
}
