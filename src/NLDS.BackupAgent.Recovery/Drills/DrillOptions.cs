using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>Where a drill is held.</summary>
public enum DrillMode
{
    /// <summary>On this machine, with its own programs.</summary>
    Local,

    /// <summary>In a namespace that is made for it, by the runbook of <c>recover cluster</c>.</summary>
    Kubernetes,
}

/// <summary>Which backup a drill begins from.</summary>
public enum DrilledBackup
{
    Newest,
    Random,
}

/// <summary>To which moment a drill restores.</summary>
public enum DrilledMoment
{
    Latest,
    Random,
}

/// <summary>What a drill restores.</summary>
public sealed record DrillChoice(DrilledBackup Backup, DrilledMoment Moment);

/// <summary>Section <c>Drill</c>: the rehearsal of a disaster.</summary>
public sealed class DrillOptions : IValidatableObject
{
    public const string Section = "Drill";

    /// <summary>Whether the agent drills by itself. Unset: where this machine has the servers' programs, and otherwise it is said that it has not.</summary>
    public bool? Enabled { get; set; }

    /// <summary>A Quartz cron expression; monthly, on the first at 03:30. Empty for never by itself.</summary>
    public string Schedule { get; set; } = "0 30 3 1 * ?";

    /// <summary>IANA name of the schedule's time zone.</summary>
    public string TimeZone { get; set; } = "UTC";

    /// <summary><c>Local</c>, on this machine, or <c>Kubernetes</c>, in a namespace of its own.</summary>
    public DrillMode Mode { get; set; } = DrillMode.Local;

    /// <summary>What mode Kubernetes needs.</summary>
    public KubernetesDrillOptions Kubernetes { get; set; } = new();

    /// <summary>Where the scratch directories are made; the machine's temporary directory unless said. It needs room for all that is restored.</summary>
    public string? Directory { get; set; }

    /// <summary><c>Newest</c>, or <c>Random</c> for any backup that can be restored to its moment.</summary>
    public DrilledBackup Backup { get; set; } = DrilledBackup.Newest;

    /// <summary><c>Latest</c>, or <c>Random</c> for a random second of all that can be restored.</summary>
    public DrilledMoment Moment { get; set; } = DrilledMoment.Latest;

    internal DrillChoice Choice => new(Backup, Moment);

    /// <summary>The recovery time that a drill is measured against.</summary>
    public TimeSpan RecoveryTime { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>The recovery point that a drill is measured against.</summary>
    public TimeSpan RecoveryPoint { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>A drill that takes longer is broken off and has failed.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromHours(2);

    /// <summary>How long the source's own proofs (amcheck) may take.</summary>
    public TimeSpan ProofTime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Questions to the copy.</summary>
    public List<DrillCheckOptions> Checks { get; set; } = [];

    public LoadTestOptions LoadTest { get; set; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Directory is { } directory && !Path.IsPathRooted(directory))
        {
            yield return new ValidationResult($"Drill:Directory is '{directory}'. Write an absolute path.");
        }

        if (Mode == DrillMode.Kubernetes && Choice != KubernetesDrillOptions.Choice)
        {
            yield return new ValidationResult("Drill:Mode is Kubernetes, where the newest backup is restored to the latest moment. Leave Drill:Backup and Drill:Moment out.");
        }

        foreach (var (name, value) in new[] { (nameof(RecoveryTime), RecoveryTime), (nameof(RecoveryPoint), RecoveryPoint), (nameof(Timeout), Timeout), (nameof(ProofTime), ProofTime) })
        {
            if (value < TimeSpan.FromSeconds(1) || value > TimeSpan.FromDays(2))
            {
                yield return new ValidationResult($"Drill:{name} is {value}. Write 00:00:01 to 2.00:00:00.");
            }
        }
    }
}

/// <summary>A question to a copy, and what its answer must be.</summary>
public sealed class DrillCheckOptions : QuestionOptions
{
    /// <summary>The protected server is asked too, and the copy's number may be this much less.</summary>
    public double? AtMostBehind { get; set; }

    /// <summary>The answer is a moment: the newest heartbeat. The recovery point is measured by it.</summary>
    public bool IsHeartbeat { get; set; }

    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var fault in base.Validate(validationContext))
        {
            yield return fault;
        }

        if (IsHeartbeat && (AtLeast is not null || AtMostBehind is not null))
        {
            yield return new ValidationResult("is true, and a heartbeat is a moment: leave AtLeast and AtMostBehind out.", [nameof(IsHeartbeat)]);
        }
    }
}

/// <summary>How a copy is put under load.</summary>
public sealed class LoadTestOptions : IValidatableObject
{
    public bool Enabled { get; set; } = true;

    /// <summary>How long.</summary>
    public TimeSpan Duration { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Clients at once, 1 to 64.</summary>
    public int Clients { get; set; } = 4;

    /// <summary>Requests per second of all clients together; 0 for as many as the copy answers.</summary>
    public double RatePerSecond { get; set; }

    /// <summary>By the source's name, what a client does; unset for reads of random data.</summary>
    public Dictionary<string, string> Statements { get; set; } = [];

    /// <summary>95 of 100 requests should be answered within this.</summary>
    public TimeSpan Percentile95 { get; set; } = TimeSpan.FromMilliseconds(250);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Duration < TimeSpan.FromSeconds(1) || Duration > TimeSpan.FromHours(1))
        {
            yield return new ValidationResult($"Drill:LoadTest:Duration is {Duration}. Write 00:00:01 to 01:00:00.");
        }

        if (Clients is < 1 or > 64)
        {
            yield return new ValidationResult($"Drill:LoadTest:Clients is {Clients}. Write 1 to 64.");
        }

        if (RatePerSecond is not (>= 0 and <= 1_000_000))
        {
            yield return new ValidationResult($"Drill:LoadTest:RatePerSecond is {RatePerSecond}. Write 0 to 1000000.");
        }

        if (Percentile95 <= TimeSpan.Zero)
        {
            yield return new ValidationResult($"Drill:LoadTest:Percentile95 is {Percentile95}. Write a duration such as 00:00:00.250.");
        }
    }
}
