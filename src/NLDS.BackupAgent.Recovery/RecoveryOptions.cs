using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Recovery.Scenarios;

namespace NLDS.BackupAgent.Recovery;

/// <summary>Section <c>Recovery</c>: what to do on a bad day.</summary>
public sealed class RecoveryOptions : IValidatableObject
{
    public const string Section = "Recovery";

    /// <summary>How many data directories that were moved aside may lie beside a data directory, 1 to 10. A further requested restore is refused, lest retries fill the disk.</summary>
    public int KeepAside { get; set; } = 2;

    /// <summary>
    /// When a restore would take longer than Drill:RecoveryTime, a backup is taken before its time, so that less log has to be replayed; so often a day at most, 0 to 24.
    /// </summary>
    public int EarlyBackupsPerDay { get; set; } = 4;

    /// <summary>
    /// What uses the servers, as <c>deployments/nlds-api</c> or <c>statefulsets/worker</c>, what matters most first: <c>recover</c> stops them from the last to the first
    /// and starts them from the first to the last.
    /// </summary>
    public List<string> Workloads { get; set; } = [];

    /// <summary>By the source's name, the workload whose pod is its server; an empty one for a server outside of the cluster.</summary>
    public Dictionary<string, string> Servers { get; set; } = new() { ["postgres"] = "statefulsets/postgres", ["redis"] = "statefulsets/redis" };

    /// <summary>What must hold before a recovery is one.</summary>
    public CheckOptions Checks { get; set; } = new();

    /// <summary>How long each kind of step may take.</summary>
    public TimeoutOptions Timeouts { get; set; } = new();

    /// <summary>The program that makes a new cluster, and its arguments: the first step of <c>recover cluster</c>. It is run again where it was cut off, and must stand that.</summary>
    public List<string> Provision { get; set; } = [];

    /// <summary>When all sources are marked together.</summary>
    public MarkOptions Mark { get; set; } = new();

    /// <summary>For a runbook that is rehearsed: nothing is provisioned, and other addresses are asked, because these are the original's.</summary>
    internal RecoveryOptions Rehearsed(List<string> urls) => new()
    {
        Workloads = Workloads, Servers = Servers, Timeouts = Timeouts, Checks = new CheckOptions { Questions = Checks.Questions, Urls = urls, ProofTime = Checks.ProofTime },
    };

    public sealed class MarkOptions
    {
        /// <summary>A Quartz cron expression; empty for never by itself.</summary>
        public string Schedule { get; set; } = "";

        /// <summary>IANA name of the schedule's time zone.</summary>
        public string TimeZone { get; set; } = "UTC";

        /// <summary>The schedule's own marks are forgotten after this time; those that somebody made stay.</summary>
        public TimeSpan Keep { get; set; } = TimeSpan.FromDays(7);
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (KeepAside is < 1 or > 10)
        {
            yield return new ValidationResult($"Recovery:KeepAside is {KeepAside}. Write 1 to 10.");
        }

        if (EarlyBackupsPerDay is < 0 or > 24)
        {
            yield return new ValidationResult($"Recovery:EarlyBackupsPerDay is {EarlyBackupsPerDay}. Write 0 to 24.");
        }

        foreach (var workload in Workloads.Where(workload => !WorkloadName.TryParse(workload, out _)))
        {
            yield return new ValidationResult($"Recovery:Workloads has '{workload}'. Write deployments/NAME or statefulsets/NAME.");
        }

        foreach (var (source, workload) in Servers.Where(server => server.Value.Length > 0 && !WorkloadName.TryParse(server.Value, out _)))
        {
            yield return new ValidationResult($"Recovery:Servers:{source} is '{workload}'. Write statefulsets/NAME or deployments/NAME.");
        }

        if (Mark.Keep < TimeSpan.FromHours(1) || Mark.Keep > TimeSpan.FromDays(3660))
        {
            yield return new ValidationResult($"Recovery:Mark:Keep is {Mark.Keep}. Write 01:00:00 to 3660.00:00:00.");
        }
    }

    public sealed class CheckOptions : IValidatableObject
    {
        /// <summary>Questions to the recovered servers.</summary>
        public List<QuestionOptions> Questions { get; set; } = [];

        /// <summary>Addresses that must answer with a success: <c>https://api.example.org/health</c>.</summary>
        public List<string> Urls { get; set; } = [];

        /// <summary>How long the source's own proofs (amcheck) may take.</summary>
        public TimeSpan ProofTime { get; set; } = TimeSpan.FromMinutes(2);

        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var url in Urls.Where(url => !Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https") || parsed.UserInfo.Length > 0))
            {
                yield return new ValidationResult(
                    $"Recovery:Checks:Urls has '{(url.Contains('@', StringComparison.Ordinal) ? "***" : url)}'. Write an address such as https://api.example.org/health, without a password.");
            }

            if (ProofTime < TimeSpan.FromSeconds(1) || ProofTime > TimeSpan.FromHours(2))
            {
                yield return new ValidationResult($"Recovery:Checks:ProofTime is {ProofTime}. Write 00:00:01 to 02:00:00.");
            }
        }
    }

    public sealed class TimeoutOptions : IValidatableObject
    {
        /// <summary>Workloads stop, or start and get ready.</summary>
        public TimeSpan Scale { get; set; } = TimeSpan.FromMinutes(5);

        /// <summary>A server's pod begins its restore, or becomes ready again.</summary>
        public TimeSpan Restart { get; set; } = TimeSpan.FromMinutes(10);

        /// <summary>A server's data are written.</summary>
        public TimeSpan Restore { get; set; } = TimeSpan.FromHours(4);

        /// <summary>A server replays or loads what was written.</summary>
        public TimeSpan Replay { get; set; } = TimeSpan.FromHours(2);

        /// <summary>Proofs, questions and addresses.</summary>
        public TimeSpan Check { get; set; } = TimeSpan.FromMinutes(10);

        /// <summary>A new cluster is made.</summary>
        public TimeSpan Provision { get; set; } = TimeSpan.FromHours(1);

        /// <summary>Kubernetes objects, and application data, are put back.</summary>
        public TimeSpan Objects { get; set; } = TimeSpan.FromMinutes(30);

        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            foreach (var (name, value) in new[]
            {
                (nameof(Scale), Scale), (nameof(Restart), Restart), (nameof(Restore), Restore), (nameof(Replay), Replay), (nameof(Check), Check), (nameof(Provision), Provision),
                (nameof(Objects), Objects),
            })
            {
                if (value < TimeSpan.FromSeconds(1) || value > TimeSpan.FromDays(2))
                {
                    yield return new ValidationResult($"Recovery:Timeouts:{name} is {value}. Write 00:00:01 to 2.00:00:00.");
                }
            }
        }
    }
}
