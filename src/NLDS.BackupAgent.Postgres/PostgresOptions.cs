using System.Buffers;
using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres;

/// <summary>Section <c>Postgres</c>: the cluster to protect.</summary>
public sealed class PostgresOptions : IValidatableObject
{
    public const string Section = "Postgres";

    private static readonly SearchValues<char> SlotCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_");

    public bool Enabled { get; set; } = true;

    /// <summary>A name, an address, or the absolute path of the directory of the server's Unix socket.</summary>
    public string Host { get; set; } = "localhost";

    public int Port { get; set; } = 5432;

    /// <summary>The database for SQL (checks, restore points); replication covers the whole cluster.</summary>
    public string Database { get; set; } = "postgres";

    /// <summary>A role with LOGIN and REPLICATION.</summary>
    public string Username { get; set; } = "postgres";

    public string? Password { get; set; }

    /// <summary>A file that holds the password, instead of <see cref="Password"/>.</summary>
    public string? PasswordFile { get; set; }

    /// <summary>As libpq's sslmode: disable, allow, prefer, require, verify-ca, verify-full.</summary>
    public string SslMode { get; set; } = "prefer";

    /// <summary>PEM file with the trusted roots, or <c>system</c>.</summary>
    public string? RootCertificate { get; set; }

    /// <summary>PEM file with a client certificate; needs <see cref="ClientKey"/>.</summary>
    public string? ClientCertificate { get; set; }

    public string? ClientKey { get; set; }

    /// <summary>The physical replication slot that keeps WAL on the server until it is durable in the repository. Created when absent.</summary>
    public string Slot { get; set; } = "nlds_backup";

    /// <summary>
    /// The name in pg_stat_replication. For a recovery point of zero put it into the server's synchronous_standby_names and set <c>Wal:Synchronous</c>.
    /// </summary>
    public string ApplicationName { get; set; } = "nlds-backup-agent";

    /// <summary>The directory of PostgreSQL's own programs, for drills; unset for the usual places and the path.</summary>
    public string? Programs { get; set; }

    public FullBackupOptions FullBackup { get; set; } = new();

    public WalOptions Wal { get; set; } = new();

    /// <summary>How much is kept, and when the rest is removed.</summary>
    public SourceRetentionOptions Retention { get; set; } = new();

    /// <summary>Base backups.</summary>
    public sealed class FullBackupOptions
    {
        /// <summary>A Quartz cron expression.</summary>
        public string Schedule { get; set; } = "0 0 2 * * ?";

        /// <summary>IANA name of the schedule's time zone.</summary>
        public string TimeZone { get; set; } = "UTC";

        /// <summary>
        /// Each so-manieth backup is a full one, and those in between hold only what changed: 7 for six incremental ones after each full one. 1 for full ones only. Needs
        /// PostgreSQL 17 and summarize_wal = on; where the server cannot, the backup is a full one, and the log says why.
        /// </summary>
        public int FullEvery { get; set; } = 1;

        /// <summary>Kilobytes per second that the server sends at most, 32 to 1048576; unset for as fast as it goes.</summary>
        public int? MaxRateKb { get; set; }

        /// <summary>Checkpoint at once; false spreads it over the server's checkpoint_completion_target, which may take minutes.</summary>
        public bool FastCheckpoint { get; set; } = true;
    }

    /// <summary>The open end of the write-ahead log.</summary>
    public sealed class WalOptions
    {
        /// <summary>The longest that a commit waits before it is on its way to the store.</summary>
        public TimeSpan FlushInterval { get; set; } = TimeSpan.FromSeconds(5);

        /// <summary>So many new bytes do not wait for the interval.</summary>
        public long FlushBytes { get; set; } = 1 << 20;

        /// <summary>Every new byte goes up at once, for commits that wait for the agent.</summary>
        public bool Synchronous { get; set; }
    }

    /// <summary>For a copy elsewhere: its certificate comes from the same authority, and names the original.</summary>
    internal PostgresOptions At(ServerPlace place)
    {
        var there = (PostgresOptions)MemberwiseClone();
        (there.Host, there.Port) = (place.Host, place.Port);
        there.SslMode = ParseSslMode(SslMode) == Protocol.SslMode.VerifyFull ? "verify-ca" : SslMode;
        return there;
    }

    internal ConnectionSettings ToConnectionSettings(TimeProvider time) => new()
    {
        Host = Host,
        Port = Port,
        Username = Username,
        Password = Password,
        SslMode = ParseSslMode(SslMode) ?? throw new InvalidOperationException("Postgres:SslMode was not validated."),
        RootCertificatePath = RootCertificate,
        ClientCertificatePath = ClientCertificate,
        ClientKeyPath = ClientKey,
        ApplicationName = ApplicationName,
        Time = time,
    };

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Enabled)
        {
            yield break;
        }

        if (string.IsNullOrWhiteSpace(Host))
        {
            yield return new ValidationResult("Postgres:Host is empty. Write the server's name, or set Postgres:Enabled to false.");
        }

        if (Port is < 1 or > 65535)
        {
            yield return new ValidationResult($"Postgres:Port is {Port}. Write 1 to 65535.");
        }

        if (string.IsNullOrWhiteSpace(Username))
        {
            yield return new ValidationResult("Postgres:Username is empty. Write a role with LOGIN and REPLICATION.");
        }

        if (ParseSslMode(SslMode) is null)
        {
            yield return new ValidationResult($"Postgres:SslMode is '{SslMode}'. Write disable, allow, prefer, require, verify-ca or verify-full.");
        }

        if ((ClientCertificate is null) != (ClientKey is null))
        {
            yield return new ValidationResult("Postgres:ClientCertificate and Postgres:ClientKey belong together. Set both or neither.");
        }

        if (Slot.Length is 0 or > 63 || Slot.AsSpan().ContainsAnyExcept(SlotCharacters))
        {
            yield return new ValidationResult($"Postgres:Slot is '{Slot}'. PostgreSQL allows 1 to 63 of a-z, 0-9 and _.");
        }

        if (Wal.FlushInterval < TimeSpan.FromMilliseconds(100) || Wal.FlushInterval > TimeSpan.FromMinutes(5))
        {
            yield return new ValidationResult($"Postgres:Wal:FlushInterval is {Wal.FlushInterval}. Write 00:00:00.1 to 00:05:00.");
        }

        if (Wal.FlushBytes is < 8192 or > 1 << 30)
        {
            yield return new ValidationResult($"Postgres:Wal:FlushBytes is {Wal.FlushBytes}. Write 8192 to 1073741824.");
        }

        if (FullBackup.FullEvery is < 1 or > 100)
        {
            yield return new ValidationResult($"Postgres:FullBackup:FullEvery is {FullBackup.FullEvery}. Write 1 for full backups only, or up to 100.");
        }

        if (FullBackup.MaxRateKb is < 32 or > 1048576)
        {
            yield return new ValidationResult($"Postgres:FullBackup:MaxRateKb is {FullBackup.MaxRateKb}. PostgreSQL allows 32 to 1048576.");
        }
    }

    internal static Protocol.SslMode? ParseSslMode(string text) => text.ToLowerInvariant() switch
    {
        "disable" => Protocol.SslMode.Disable,
        "allow" => Protocol.SslMode.Allow,
        "prefer" => Protocol.SslMode.Prefer,
        "require" => Protocol.SslMode.Require,
        "verify-ca" => Protocol.SslMode.VerifyCa,
        "verify-full" => Protocol.SslMode.VerifyFull,
        _ => null,
    };
}
