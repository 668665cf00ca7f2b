namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>The RDB format of each release (rdb.h), which is also the newest that it reads.</summary>
internal static class RdbVersions
{
    public static int WrittenBy(Version server) => server switch
    {
        { Major: < 5 } => 8,
        { Major: < 7 } => 9,
        { Major: 7, Minor: < 2 } => 10,
        { Major: 7, Minor: < 4 } => 11,
        { Major: 7 } or { Major: 8, Minor: < 6 } => 12,
        _ => 13,
    };

    /// <summary>Of a server that does not tell its version, the oldest that is supported.</summary>
    public static int WrittenBy(string? server) => Version.TryParse(server, out var version) ? WrittenBy(version) : WrittenBy(new Version(6, 2));
}
