namespace NLDS.BackupAgent.Configuration;

/// <summary>The environment variables that the strategy document uses, and the keys that they set.</summary>
internal static class StrategyNames
{
    private static readonly (string Variable, string Key)[] Names =
    [
        ("POSTGRES_HOST", "Postgres:Host"),
        ("POSTGRES_PORT", "Postgres:Port"),
        ("POSTGRES_DB", "Postgres:Database"),
        ("POSTGRES_USER", "Postgres:Username"),
        ("POSTGRES_PASSWORD", "Postgres:Password"),
        ("REDIS_HOST", "Redis:Host"),
        ("REDIS_PORT", "Redis:Port"),
        ("REDIS_PASSWORD", "Redis:Password"),
    ];

    public static Dictionary<string, string?> Read(IReadOnlyDictionary<string, string> environment, IReadOnlySet<string> sections)
    {
        var settings = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (variable, key) in Names)
        {
            if (sections.Contains(key[..key.IndexOf(':', StringComparison.Ordinal)])
                && environment.TryGetValue(variable, out var value)
                && value.Length > 0
                && !IsServiceLink(value))
            {
                settings[key] = value;
            }
        }

        return settings;
    }

    // Kubernetes gives every container POSTGRES_PORT=tcp://10.0.0.1:5432 when a service is called "postgres"; nobody meant a port number by it.
    private static bool IsServiceLink(string value) => value.StartsWith("tcp://", StringComparison.Ordinal);
}
