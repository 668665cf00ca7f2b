using System.Globalization;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>What INFO says: lines of <c>name:value</c> under headings that begin with <c>#</c>.</summary>
internal sealed class ServerInfo(IReadOnlyDictionary<string, string> fields)
{
    /// <summary>A server that does not allow INFO is known by what it sends in replication alone.</summary>
    public static ServerInfo Unknown { get; } = new(new Dictionary<string, string>());

    public string? this[string name] => fields.GetValueOrDefault(name);

    public string? Version => this["redis_version"];

    public string? RunId => this["run_id"];

    public bool IsReplica => this["role"] == "slave";

    /// <summary>Where a replica's primary is, as the replica knows it.</summary>
    public ServerAddress? Primary =>
        IsReplica && this["master_host"] is { } host && Number("master_port") is >= 0 and <= ushort.MaxValue and var port ? new ServerAddress(host, (int)port) : null;

    /// <summary>Keys by database, from the section Keyspace: <c>db0:keys=3,expires=1,avg_ttl=0</c>.</summary>
    public IReadOnlyDictionary<int, long> Databases => fields
        .Select(f => DatabaseIn(f.Key, f.Value))
        .OfType<(int Number, long Keys)>()
        .DistinctBy(database => database.Number)
        .ToDictionary(database => database.Number, database => database.Keys);

    public long? Number(string name) =>
        long.TryParse(this[name], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static (int Number, long Keys)? DatabaseIn(string name, string value) =>
        name.StartsWith("db", StringComparison.Ordinal) && value.StartsWith("keys=", StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && long.TryParse(value.Split(',')[0].AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var keys)
            ? (number, keys)
            : null;

    /// <summary>Passes over what it does not understand: every version adds lines.</summary>
    public static ServerInfo Parse(string text)
    {
        var fields = new Dictionary<string, string>();
        foreach (var line in text.Split('\n').Select(line => line.TrimEnd('\r')))
        {
            if (line.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon && line[0] != '#')
            {
                fields[line[..colon]] = line[(colon + 1)..];
            }
        }

        return new ServerInfo(fields);
    }

    /// <summary>All sections, or <see cref="Unknown"/> where the user may not ask.</summary>
    public static async Task<ServerInfo> ReadAsync(RedisConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return Parse((await connection.AskAsync(cancellationToken, "INFO")).Text);
        }
        catch (RedisErrorException refused) when (refused.Code == "NOPERM" || refused.IsUnknownCommand)
        {
            return Unknown;
        }
    }
}
