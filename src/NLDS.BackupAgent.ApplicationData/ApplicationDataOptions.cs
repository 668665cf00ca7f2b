using System.Buffers;
using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.ApplicationData;

/// <summary>Section <c>ApplicationData</c>: which rows and keys of the application are kept as documents of their own, beside the whole servers.</summary>
public sealed class ApplicationDataOptions : IValidatableObject
{
    public const string Section = "ApplicationData";

    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-");

    /// <summary>Off unless it is said: not every database has the tables that the built-in data sets read.</summary>
    public bool Enabled { get; set; }

    /// <summary>A Quartz cron expression.</summary>
    public string Schedule { get; set; } = "0 0/15 * * * ?";

    /// <summary>IANA name of the schedule's time zone.</summary>
    public string TimeZone { get; set; } = "UTC";

    /// <summary>By name. What is said here of a built-in one (user_sessions, api_keys, system_metrics) changes it; other names are further ones.</summary>
    public Dictionary<string, DataSetOptions> DataSets { get; set; } = [];

    public CacheOptions Cache { get; set; } = new();

    /// <summary>What differs from section <c>Postgres</c>; usually a role that may read the tables.</summary>
    public DatabaseOptions Postgres { get; set; } = new();

    /// <summary>What differs from section <c>Redis</c>.</summary>
    public CacheServerOptions Redis { get; set; } = new();

    /// <summary>How much is kept, and when the rest is removed.</summary>
    public SourceRetentionOptions Retention { get; set; } = new();

    /// <summary>One data set: the rows of a query.</summary>
    public sealed class DataSetOptions
    {
        /// <summary>False leaves a built-in one out.</summary>
        public bool Enabled { get; set; } = true;

        /// <summary>A SELECT, run in the one snapshot of the backup.</summary>
        public string? Query { get; set; }

        /// <summary>Of the query's columns those that are kept; all unless said.</summary>
        public IReadOnlyList<string>? Columns { get; set; }

        /// <summary>Where a restore puts the rows; the data set's name unless said.</summary>
        public string? Table { get; set; }

        /// <summary>The columns of a unique index of the table, by which a restore finds a row again; the primary key unless said. Without either, whole rows are compared.</summary>
        public IReadOnlyList<string>? Key { get; set; }

        /// <summary>The column with the time after which a row is worth nothing: a restore skips it then.</summary>
        public string? ExpiresColumn { get; set; }

        /// <summary>What the document calls its list of rows.</summary>
        public string? RowsName { get; set; }

        /// <summary>What the document calls the number of its rows.</summary>
        public string? CountName { get; set; }
    }

    /// <summary>The keys of Redis that are kept: data set <c>processing_cache</c>.</summary>
    public sealed class CacheOptions
    {
        public bool Enabled { get; set; } = true;

        /// <summary>Which keys, as SCAN MATCH has it.</summary>
        public string Pattern { get; set; } = "nlds:cache:*";
    }

    /// <summary>A PostgreSQL connection, as far as it differs.</summary>
    public sealed class DatabaseOptions
    {
        public string? Host { get; set; }

        public int? Port { get; set; }

        public string? Database { get; set; }

        public string? Username { get; set; }

        public string? Password { get; set; }

        /// <summary>A file that holds the password, instead of <see cref="Password"/>.</summary>
        public string? PasswordFile { get; set; }
    }

    /// <summary>A Redis connection, as far as it differs.</summary>
    public sealed class CacheServerOptions
    {
        public string? Host { get; set; }

        public int? Port { get; set; }

        /// <summary>The number of the database with the keys.</summary>
        public int Database { get; set; }

        public string? Username { get; set; }

        public string? Password { get; set; }

        /// <summary>A file that holds the password, instead of <see cref="Password"/>.</summary>
        public string? PasswordFile { get; set; }
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Enabled)
        {
            yield break;
        }

        foreach (var (name, set) in DataSets)
        {
            if (name.Length is 0 or > 63 || name.AsSpan().ContainsAnyExcept(NameCharacters) || name is DataSet.Cache or DataSet.Manifest)
            {
                yield return new ValidationResult(
                    $"ApplicationData:DataSets has a data set '{name}'. Name it with 1 to 63 of a-z, 0-9, _ and -, and not {DataSet.Cache} or {DataSet.Manifest}: it becomes a file's name.");
            }

            if (set.Enabled && string.IsNullOrWhiteSpace(set.Query) && !DataSet.IsBuiltIn(name))
            {
                yield return new ValidationResult($"ApplicationData:DataSets:{name}:Query is empty. Write the SELECT whose rows are kept.");
            }

            if (set.Columns?.Contains(DataSet.JsonTexts) == true)
            {
                yield return new ValidationResult($"ApplicationData:DataSets:{name}:Columns has '{DataSet.JsonTexts}', which the documents use themselves. Rename it in the query.");
            }
        }

        if (Cache.Enabled && Cache.Pattern.Length == 0)
        {
            yield return new ValidationResult("ApplicationData:Cache:Pattern is empty. Write which keys are kept, for example nlds:cache:*, or set ApplicationData:Cache:Enabled to false.");
        }

        if (!Cache.Enabled && DataSet.Of(this).Count == 0)
        {
            yield return new ValidationResult("ApplicationData:DataSets has nothing that is enabled. Leave one, or set ApplicationData:Enabled to false.");
        }

        if (Redis.Database is < 0 or > 65535)
        {
            yield return new ValidationResult($"ApplicationData:Redis:Database is {Redis.Database}. Write the number of a Redis database, 0 as a rule.");
        }
    }
}
