namespace NLDS.BackupAgent.ApplicationData;

/// <summary>A named query and where its rows go back to, with every default filled in.</summary>
internal sealed record DataSet
{
    /// <summary>The data set that comes from Redis.</summary>
    public const string Cache = "processing_cache";

    /// <summary>The name of the archive's own table of contents.</summary>
    public const string Manifest = "manifest";

    /// <summary>A row's member with the exact text of those JSON values that no document could show: JSON's null is there as SQL's is, and the space around a value is lost.</summary>
    public const string JsonTexts = "$json_texts";

    private const string DefaultRowsName = "rows";
    private const string DefaultCountName = "row_count";

    /// <summary>Those of the strategy document, with its queries, columns and shapes.</summary>
    private static readonly DataSet[] BuiltIn =
    [
        new DataSet
        {
            Name = "user_sessions",
            Query = "SELECT session_id, user_id, created_at, expires_at, session_data FROM user_sessions WHERE expires_at > now()",
            Table = "user_sessions",
            ExpiresColumn = "expires_at",
            RowsName = "sessions",
            CountName = "session_count",
        },
        new DataSet
        {
            Name = "api_keys",
            Query = "SELECT key_id, key_name, key_type, permissions, created_at, last_used FROM api_keys WHERE active = true",
            Table = "api_keys",
            RowsName = "api_keys",
            CountName = "api_key_count",
        },
        new DataSet
        {
            Name = "system_metrics",
            Query = "SELECT metric_name, metric_value, timestamp, labels FROM system_metrics WHERE timestamp > now() - INTERVAL '24 hours' ORDER BY timestamp DESC",
            Table = "system_metrics",
            RowsName = "metrics",
            CountName = "metric_count",
            TimeRange = "24 hours",
        },
    ];

    public required string Name { get; init; }

    public required string Query { get; init; }

    /// <summary>Empty for all that the query has.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    public required string Table { get; init; }

    /// <summary>Empty for the table's primary key.</summary>
    public IReadOnlyList<string> Key { get; init; } = [];

    public string? ExpiresColumn { get; init; }

    public required string RowsName { get; init; }

    public required string CountName { get; init; }

    /// <summary>What the document says of how far back its query looks.</summary>
    public string? TimeRange { get; init; }

    public static bool IsBuiltIn(string name) => BuiltIn.Any(set => set.Name == name);

    /// <summary>Those that are enabled: the built-in ones first, in the strategy's order.</summary>
    public static IReadOnlyList<DataSet> Of(ApplicationDataOptions options) =>
    [
        .. BuiltIn.Where(set => options.DataSets.GetValueOrDefault(set.Name)?.Enabled != false)
            .Select(set => options.DataSets.TryGetValue(set.Name, out var said) ? set.With(said) : set),
        .. options.DataSets.Where(set => set.Value.Enabled && !IsBuiltIn(set.Key)).OrderBy(set => set.Key, StringComparer.Ordinal)
            .Select(set => new DataSet { Name = set.Key, Query = set.Value.Query!, Table = set.Key, RowsName = DefaultRowsName, CountName = DefaultCountName }.With(set.Value)),
    ];

    private DataSet With(ApplicationDataOptions.DataSetOptions said) => this with
    {
        Query = said.Query?.Trim().TrimEnd(';') ?? Query,
        Columns = said.Columns ?? Columns,
        Table = said.Table ?? Table,
        Key = said.Key ?? Key,
        ExpiresColumn = said.ExpiresColumn is { } column ? (column.Length > 0 ? column : null) : ExpiresColumn,
        RowsName = said.RowsName ?? RowsName,
        CountName = said.CountName ?? CountName,
        TimeRange = said.Query is null ? TimeRange : null,
    };
}
