using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Tests.Fakes;

internal enum FakeMode
{
    Stream,
    Snapshot,
}

/// <summary>Options with every shape that a source's options have.</summary>
internal sealed class FakeOptions : IValidatableObject
{
    public bool Enabled { get; set; } = true;

    public string Host { get; set; } = "localhost";

    public int Port { get; set; } = 5432;

    public string Database { get; set; } = "postgres";

    public string Username { get; set; } = "postgres";

    public string? Password { get; set; }

    public FakeMode Mode { get; set; }

    public List<string> Include { get; set; } = [];

    public Dictionary<string, Wal> Servers { get; set; } = [];

    public FullBackupOptions FullBackup { get; set; } = new();

    public Wal Wal { get; set; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Port is < 1 or > 65535)
        {
            yield return new ValidationResult($"is {Port}. Write 1 to 65535.", [nameof(Port)]);
        }

        if (Host.Length == 0)
        {
            yield return new ValidationResult("Postgres:Host is empty. Write the server's name.");
        }
    }

    internal sealed class FullBackupOptions
    {
        public string Schedule { get; set; } = "0 0 2 * * ?";

        public string TimeZone { get; set; } = "UTC";
    }
}

internal sealed class Wal : IValidatableObject
{
    public TimeSpan FlushInterval { get; set; } = TimeSpan.FromSeconds(5);

    public long FlushBytes { get; set; } = 1 << 20;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (FlushBytes < 1)
        {
            yield return new ValidationResult($"is {FlushBytes}. Write 8192 or more.", [nameof(FlushBytes)]);
        }
    }
}
