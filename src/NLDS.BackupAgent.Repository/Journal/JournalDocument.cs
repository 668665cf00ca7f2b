using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Repository.Journal;

public enum RunOutcome
{
    Succeeded,

    Failed,

    /// <summary>It began and its process ended before it did.</summary>
    Killed,
}

/// <summary>A run that is over.</summary>
/// <param name="Began">By the agent's clock.</param>
/// <param name="Ended">By the agent's clock; null when nobody was there to see it.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Error">What went wrong, in a sentence; null after a success.</param>
/// <param name="Backup">The backup that it sealed.</param>
/// <param name="Bytes">Content bytes that it handled.</param>
public sealed record JournalRun(DateTimeOffset Began, DateTimeOffset? Ended, RunOutcome Outcome, string? Error = null, string? Backup = null, long? Bytes = null);

/// <summary>A run that has begun.</summary>
/// <param name="Began">By the agent's clock.</param>
/// <param name="Process">Whose it is: a run of another process that never ended was killed.</param>
public sealed record CurrentRun(DateTimeOffset Began, Guid Process);

/// <summary><c>journal/JOB.json</c>: the runs of one job over all processes. A register: only the agent that holds the source's lease writes it.</summary>
/// <param name="Job">The job's name.</param>
/// <param name="Runs">How many runs are over.</param>
/// <param name="Failures">How many of them failed or were killed.</param>
/// <param name="Current">The run that has begun and not ended.</param>
/// <param name="Recent">The last runs, oldest first.</param>
public sealed record JournalDocument(string Job, long Runs, long Failures, CurrentRun? Current, IReadOnlyList<JournalRun> Recent)
{
    /// <summary>Enough for a month of daily runs at a glance; each is some hundred bytes, and the document is written twice a run.</summary>
    private const int Kept = 30;

    public static JournalDocument Empty(string job) => new(job, 0, 0, null, []);

    public JournalDocument Begin(CurrentRun run) => this with { Current = run };

    public JournalDocument End(JournalRun run) => this with
    {
        Runs = Runs + 1,
        Failures = Failures + (run.Outcome == RunOutcome.Succeeded ? 0 : 1),
        Current = null,
        Recent = [.. Recent.Append(run).TakeLast(Kept)],
    };

    /// <summary>These runs and <paramref name="later"/> ones that were counted apart.</summary>
    public JournalDocument Plus(JournalDocument later) => this with
    {
        Runs = Runs + later.Runs,
        Failures = Failures + later.Failures,
        Recent = [.. Recent.Concat(later.Recent).TakeLast(Kept)],
    };

    /// <summary>Takes away what <see cref="Plus"/> added.</summary>
    public JournalDocument Without(JournalDocument counted) => this with
    {
        Runs = Runs - counted.Runs,
        Failures = Failures - counted.Failures,
        Recent = [.. Recent.Except(counted.Recent)],
    };

    /// <summary>Counts a run that another process began and never ended.</summary>
    public JournalDocument Recover(Guid process) => Current is { } left && left.Process != process
        ? End(new JournalRun(left.Began, null, RunOutcome.Killed, "The agent was killed during this run, or lost the right to write."))
        : this;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(JournalDocument))]
internal sealed partial class JournalJson : JsonSerializerContext;
