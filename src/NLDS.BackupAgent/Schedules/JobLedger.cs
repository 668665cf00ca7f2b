using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Schedules;

/// <summary>What is known of one job's runs since the process began.</summary>
internal sealed record JobState
{
    public DateTimeOffset? RunningSince { get; init; }

    public TransferProgress? Progress { get; init; }

    public DateTimeOffset? LastSuccess { get; init; }

    /// <summary>Of the last run that came to an end, well or not.</summary>
    public TimeSpan? LastDuration { get; init; }

    public long Failures { get; init; }

    public int FailuresInARow { get; init; }

    public DateTimeOffset? LastFailure { get; init; }

    /// <summary>What went wrong last; null after a success.</summary>
    public string? LastError { get; init; }
}

/// <summary>The book of runs; it also sees to it that a job never runs twice at once. May be used from any thread.</summary>
internal sealed class JobLedger(IReadOnlyList<Job> jobs, TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, JobState> states = [];

    public IReadOnlyList<Job> Jobs { get; } = jobs;

    public JobState this[Job job]
    {
        get
        {
            lock (gate)
            {
                return states.GetValueOrDefault(job.Name) ?? new JobState();
            }
        }
    }

    /// <summary>False when a run is under way.</summary>
    public bool TryBegin(Job job)
    {
        lock (gate)
        {
            var state = states.GetValueOrDefault(job.Name) ?? new JobState();
            if (state.RunningSince is not null)
            {
                return false;
            }

            states[job.Name] = state with { RunningSince = time.GetUtcNow(), Progress = null };
            return true;
        }
    }

    public void Progress(Job job, TransferProgress progress) => Change(job, state => state with { Progress = progress });

    public void Succeed(Job job) => End(job, (state, now) => state with { LastSuccess = now, FailuresInARow = 0, LastError = null });

    public void Fail(Job job, string message) => End(job, (state, now) => state with
    {
        Failures = state.Failures + 1,
        FailuresInARow = state.FailuresInARow + 1,
        LastFailure = now,
        LastError = message,
    });

    private void End(Job job, Func<JobState, DateTimeOffset, JobState> outcome)
    {
        var now = time.GetUtcNow();
        Change(job, state => outcome(state, now) with { RunningSince = null, Progress = null, LastDuration = now - state.RunningSince });
    }

    private void Change(Job job, Func<JobState, JobState> change)
    {
        lock (gate)
        {
            states[job.Name] = change(states.GetValueOrDefault(job.Name) ?? new JobState());
        }
    }
}
