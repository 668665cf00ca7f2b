namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>What an RDB file holds, as far as it was understood.</summary>
internal sealed record RdbSummary
{
    /// <summary>The format's version: 9 for Redis 5 and 6, 10 for 7.0, 11 for 7.2, 12 for 7.4 and 8.0.</summary>
    public required int Version { get; init; }

    /// <summary>The auxiliary fields: <c>redis-ver</c>, <c>repl-id</c>, <c>repl-offset</c>, <c>repl-stream-db</c>, …</summary>
    public required IReadOnlyDictionary<string, string> Fields { get; init; }

    /// <summary>By database; null when the version is newer than this program, and only the checksum vouches for the file.</summary>
    public required IReadOnlyDictionary<int, RdbDatabase>? Databases { get; init; }

    public required long Functions { get; init; }

    /// <summary>False when the server writes no checksums.</summary>
    public required bool IsChecksummed { get; init; }
}

/// <summary>How many keys a database has, and how many of them expire.</summary>
internal sealed record RdbDatabase(long Keys, long Expiring);
