using System.Text.Json;
using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.ApplicationData.Archive;

/// <summary>
/// <c>manifest.json</c>, the last file of an archive: what the strategy document puts into it, and what a restore and a verification hold the other files against.
/// The same document stands in the backup's own manifest, which the repository proves; so a restore knows every hash before it reads the first row.
/// </summary>
internal sealed record ArchiveManifest
{
    public const string CurrentVersion = "2.2.0";

    /// <summary><c>nlds_backup_20261123_020000</c>, which is also the archive's one folder.</summary>
    public required string BackupId { get; init; }

    public required string Timestamp { get; init; }

    public required string Version { get; init; }

    public required string BackupType { get; init; }

    /// <summary>Every file of the archive but this one, in their order.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    public required RetentionWords RetentionPolicy { get; init; }

    /// <summary>The one moment, by the database's clock, that all rows are of; null when no query could be run.</summary>
    public DateTimeOffset? SnapshotAt { get; init; }

    public required IReadOnlyList<ArchivedSet> DataSets { get; init; }

    /// <summary>What should be here and is not, a sentence each.</summary>
    public required IReadOnlyList<string> Omissions { get; init; }

    /// <summary>Files of data sets that failed when a part of them was written already; nothing is restored from them.</summary>
    public required IReadOnlyList<ArchivedFile> Abandoned { get; init; }

    /// <summary>Whether no two files, and no two columns of a set, have one name, and each table's set says where its rows are. What proves itself may still say anything.</summary>
    [JsonIgnore]
    public bool IsSound
    {
        get
        {
            List<string> names = [.. DataSets.SelectMany(set => set.Files).Concat(Abandoned).Select(file => file.Name)];
            return names.Distinct().Count() == names.Count
                && DataSets.All(set => set.Columns.Select(column => column.Name).Distinct().Count() == set.Columns.Count && (set.IsCache || (set.RowsName is not null && set.CountName is not null)));
        }
    }

    internal sealed record RetentionWords(int DailyRetention, int WeeklyRetention, int MonthlyRetention);
}

/// <summary>One data set in an archive.</summary>
internal sealed record ArchivedSet
{
    public required string Name { get; init; }

    /// <summary>Rows, or keys of the cache.</summary>
    public required long Count { get; init; }

    /// <summary>One, or as many as its size wants.</summary>
    public required IReadOnlyList<ArchivedFile> Files { get; init; }

    /// <summary>Where the rows go back to; null for the cache.</summary>
    public string? Table { get; init; }

    public IReadOnlyList<string> Key { get; init; } = [];

    public string? ExpiresColumn { get; init; }

    /// <summary>What the files call the list of rows.</summary>
    public string? RowsName { get; init; }

    public string? CountName { get; init; }

    public IReadOnlyList<ArchivedColumn> Columns { get; init; } = [];

    [JsonIgnore]
    public bool IsCache => Table is null;
}

/// <param name="Name">Within the archive's folder.</param>
/// <param name="Count">Its rows or keys.</param>
internal sealed record ArchivedFile(string Name, long Bytes, string Sha256, long Count);

/// <param name="Type">As format_type gives it, for people.</param>
/// <param name="Shape">How its values stand in the documents.</param>
internal sealed record ArchivedColumn(string Name, string Type, ValueShape Shape);

/// <summary>How a value of PostgreSQL stands in a document. Nothing is ever computed with: digits stay as the server wrote them.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ValueShape>))]
internal enum ValueShape
{
    /// <summary>A string with the server's own text.</summary>
    Text,

    /// <summary>A number; NaN and the infinities, which JSON has not, are strings.</summary>
    Number,

    /// <summary>true or false.</summary>
    Boolean,

    /// <summary>The value itself, byte by byte.</summary>
    Json,

    /// <summary>A string in ISO 8601 as Python's isoformat gives it.</summary>
    Timestamp,

    /// <summary>The same with an offset, +00:00.</summary>
    TimestampWithZone,

    /// <summary>A list of strings and nulls, nested as the array is.</summary>
    TextArray,

    /// <summary>A list of numbers.</summary>
    NumberArray,
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    WriteIndented = true)]
[JsonSerializable(typeof(ArchiveManifest))]
internal sealed partial class ArchiveJson : JsonSerializerContext;
