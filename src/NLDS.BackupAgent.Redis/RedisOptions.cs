using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis;

/// <summary>How a Redis server is protected.</summary>
public enum RedisMode
{
    /// <summary>The agent is a replica: a base now and then, and every write after it within seconds.</summary>
    Stream,

    /// <summary>Snapshots on schedule and nothing between them; for servers that refuse replicas.</summary>
    Snapshot,
}

/// <summary>Section <c>Redis</c>: the server to protect.</summary>
public sealed class RedisOptions : IValidatableObject
{
    public const string Section = "Redis";

    private bool? enabled;

    /// <summary>A name, an address, or the absolute path of the server's Unix socket.</summary>
    public string Host { get; set; } = "";

    /// <summary>Unless it is said, on when <see cref="Host"/> is set: a server that nobody named is not looked for.</summary>
    /// <remarks>It stands behind Host because the binder takes properties in this order, and sets those without a key to what they say by then.</remarks>
    public bool Enabled
    {
        get => enabled ?? Host.Length > 0;
        set => enabled = value;
    }

    public int Port { get; set; } = 6379;

    /// <summary>An ACL user; unset for the server's default user.</summary>
    public string? Username { get; set; }

    public string? Password { get; set; }

    /// <summary>A file that holds the password, instead of <see cref="Password"/>.</summary>
    public string? PasswordFile { get; set; }

    public RedisMode Mode { get; set; } = RedisMode.Stream;

    /// <summary>When <see cref="Host"/> is a replica, go on to its primary; false takes everything from the replica itself, which spares the primary the fork.</summary>
    public bool FollowPrimary { get; set; } = true;

    /// <summary>TLS, which Redis serves on a port of its own (tls-port).</summary>
    public bool Tls { get; set; }

    /// <summary>PEM file with the roots that the server's certificate may come from; unset for the machine's own.</summary>
    public string? RootCertificate { get; set; }

    /// <summary>PEM file with a client certificate (Redis asks for one unless tls-auth-clients is no); needs <see cref="ClientKey"/>.</summary>
    public string? ClientCertificate { get; set; }

    public string? ClientKey { get; set; }

    /// <summary>The name that the server's certificate must carry, when it is not <see cref="Host"/>.</summary>
    public string? CertificateName { get; set; }

    public SnapshotOptions Snapshot { get; set; } = new();

    public StreamOptions Stream { get; set; } = new();

    /// <summary>How much is kept, and when the rest is removed.</summary>
    public SourceRetentionOptions Retention { get; set; } = new();

    /// <summary>Bases: whole copies of the data.</summary>
    public sealed class SnapshotOptions
    {
        /// <summary>A Quartz cron expression.</summary>
        public string Schedule { get; set; } = "0 0 0/6 * * ?";

        /// <summary>IANA name of the schedule's time zone.</summary>
        public string TimeZone { get; set; } = "UTC";

        /// <summary>Where the agent sees the server's own directory (CONFIG GET dir). With it a snapshot in mode Snapshot is a BGSAVE whose file is read there.</summary>
        public string? Directory { get; set; }

        /// <summary>A save that takes longer is given up.</summary>
        public TimeSpan SaveTimeout { get; set; } = TimeSpan.FromHours(1);
    }

    /// <summary>The stream of writes behind a base.</summary>
    public sealed class StreamOptions
    {
        /// <summary>The longest that a write waits before it is on its way to the store.</summary>
        public TimeSpan FlushInterval { get; set; } = TimeSpan.FromSeconds(5);

        /// <summary>So many new bytes do not wait for the interval.</summary>
        public long FlushBytes { get; set; } = 1 << 20;

        /// <summary>A fresh base is taken when the stream behind the newest one has grown to so many times its size, which bounds how long a restore replays.</summary>
        public double BaseRatio { get; set; } = 4;

        /// <summary>No base is taken for <see cref="BaseRatio"/> before the stream has grown to this.</summary>
        public long BaseBytes { get; set; } = 256L << 20;
    }

    internal ServerAddress Address => new(Host, Port);

    /// <summary>For a copy elsewhere, whose certificate names the original. Whatever it takes for its primary is not gone on to: that is no copy.</summary>
    internal RedisOptions At(ServerPlace place)
    {
        var there = (RedisOptions)MemberwiseClone();
        (there.Host, there.Port, there.FollowPrimary, there.CertificateName) = (place.Host, place.Port, false, CertificateName ?? Host);
        return there;
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Enabled)
        {
            yield break;
        }

        if (string.IsNullOrWhiteSpace(Host))
        {
            yield return new ValidationResult("Redis:Host is empty. Write the server's name, or set Redis:Enabled to false.");
        }

        if (Port is < 1 or > 65535)
        {
            yield return new ValidationResult($"Redis:Port is {Port}. Write 1 to 65535.");
        }

        if (Username is not null && string.IsNullOrEmpty(Password))
        {
            yield return new ValidationResult("Redis:Username has no password. Set Redis:Password or Redis:PasswordFile.");
        }

        if ((ClientCertificate is null) != (ClientKey is null))
        {
            yield return new ValidationResult("Redis:ClientCertificate and Redis:ClientKey belong together. Set both or neither.");
        }

        if (Stream.FlushInterval < TimeSpan.FromMilliseconds(100) || Stream.FlushInterval > TimeSpan.FromMinutes(5))
        {
            yield return new ValidationResult($"Redis:Stream:FlushInterval is {Stream.FlushInterval}. Write 00:00:00.1 to 00:05:00.");
        }

        if (Stream.FlushBytes is < 8192 or > 1 << 30)
        {
            yield return new ValidationResult($"Redis:Stream:FlushBytes is {Stream.FlushBytes}. Write 8192 to 1073741824.");
        }

        if (Stream.BaseRatio is < 0.1 or > 1000 or double.NaN)
        {
            yield return new ValidationResult($"Redis:Stream:BaseRatio is {Stream.BaseRatio}. Write 0.1 to 1000.");
        }

        if (Stream.BaseBytes < 1 << 20)
        {
            yield return new ValidationResult($"Redis:Stream:BaseBytes is {Stream.BaseBytes}. Write 1048576 or more.");
        }

        if (Snapshot.SaveTimeout < TimeSpan.FromSeconds(10))
        {
            yield return new ValidationResult($"Redis:Snapshot:SaveTimeout is {Snapshot.SaveTimeout}. Write 00:00:10 or more.");
        }

        if (Snapshot.Directory is { } directory && !Path.IsPathRooted(directory))
        {
            yield return new ValidationResult($"Redis:Snapshot:Directory is '{directory}'. Write an absolute path.");
        }
    }
}
