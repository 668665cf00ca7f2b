using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Schedules;

/// <summary>What is known of one job's runs.</summary>
internal sealed record JobState
{
    public DateTimeOffset? RunningSince { get; init; }

    public TransferProgress? Progress { get; init; }

    /// <summary>The last runs of this process and those before it, oldest first.</summary>
    public IReadOnlyList<JournalRun> Runs { get; init; } = [];

    /// <summary>
    /// All failed and killed runs. Null until the journal was read or a run has failed here, so that it never falls: a number that begins at zero and then jumps to
    /// what it was before the restart would look like new failures.
    /// </summary>
    public long? Failures { get; init; }

    /// <summary>The failures of earlier processes, without a run that a kill left unfinished; null until the journal was read.</summary>
    public long? EarlierFailures { get; init; }

    /// <summary>Of the last run that came to an end, well or not.</summary>
    public TimeSpan? LastDuration => Runs.LastOrDefault(run => run.Ended is not null) is { } ended ? ended.Ended - ended.Began : null;

    /// <summary>Of this process. A new one owes nothing to the waits of the one before: somebody may have mended what failed.</summary>
    public DateTimeOffset? LastSuccess { get; init; }

    /// <summary>Of this process.</summary>
    public int FailuresInARow { get; init; }

    /// <summary>Of this process.</summary>
    public DateTimeOffset? LastFailure { get; init; }

    /// <summary>What went wrong last; null after a success.</summary>
    public string? LastError => Runs is [.., var last] ? last.Error : null;
}

/// <summary>
/// The book of runs; it also sees to it that a job never runs twice at once. What earlier processes did comes from the journal, as soon as that can be read.
/// May be used from any thread.
/// </summary>
/// <param name="jobs">All jobs.</param>
/// <param name="isJournaled">False where there is no repository to remember anything: then nothing was before.</param>
internal sealed class JobLedger(IReadOnlyList<Job> jobs, TimeProvider time, bool isJournaled = false)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Page> pages = jobs.ToDictionary(job => job.Name, job => new Page(isJournaled ? null : JournalDocument.Empty(job.Name), JournalDocument.Empty(job.Name)));

    public IReadOnlyList<Job> Jobs { get; } = jobs;

    /// <summary>Tells this process's runs in the journal from those of others.</summary>
    public Guid Process { get; } = Guid.NewGuid();

    public JobState this[Job job]
    {
        get
        {
            lock (gate)
            {
                return pages[job.Name].State();
            }
        }
    }

    /// <summary>False when a run is under way.</summary>
    public bool TryBegin(Job job)
    {
        lock (gate)
        {
            if (pages[job.Name].RunningSince is not null)
            {
                return false;
            }

            pages[job.Name] = pages[job.Name] with { RunningSince = time.GetUtcNow(), Progress = null };
            return true;
        }
    }

    /// <summary>The run that was begun is not this agent's to do.</summary>
    public void Withdraw(Job job) => Change(job, page => page with { RunningSince = null });

    public void Progress(Job job, TransferProgress progress) => Change(job, page => page with { Progress = progress });

    public void Succeed(Job job, JobResult result) => End(job, (began, now) => new JournalRun(began, now, RunOutcome.Succeeded, null, result.Backup, result.Bytes));

    public void Fail(Job job, string message) => End(job, (began, now) => new JournalRun(began, now, RunOutcome.Failed, message));

    /// <summary>The journal as the store has it: what was before this process, or what another agent did while it had the lease. The count never falls.</summary>
    /// <param name="job">Whose it is.</param>
    /// <param name="stored">What it says now.</param>
    /// <param name="failuresBefore">The failures in it before a run that was left unfinished was counted.</param>
    public void Read(Job job, JournalDocument stored, long? failuresBefore = null) => Change(job, page => page with
    {
        Stored = stored with { Failures = Math.Max(stored.Failures, page.Stored?.Failures ?? 0) },
        EarlierFailures = page.EarlierFailures ?? failuresBefore ?? stored.Failures,
    });

    /// <summary>What the journal should say now, and which runs in it are news; null while it is not known what it says.</summary>
    public (JournalDocument Document, JournalDocument News)? Journal(Job job)
    {
        lock (gate)
        {
            var page = pages[job.Name];
            return page.Stored is null ? null
                : (page.Stored.Plus(page.News) with { Current = page.RunningSince is { } began ? new CurrentRun(began, Process) : null }, page.News);
        }
    }

    /// <summary>The store has this now.</summary>
    public void Written(Job job, JournalDocument document, JournalDocument news) =>
        Change(job, page => page with { Stored = document, News = page.News.Without(news) });

    private void End(Job job, Func<DateTimeOffset, DateTimeOffset, JournalRun> describe)
    {
        var now = time.GetUtcNow();
        Change(job, page =>
        {
            var run = describe(page.RunningSince ?? now, now);
            var hasSucceeded = run.Outcome == RunOutcome.Succeeded;
            return page with
            {
                RunningSince = null,
                Progress = null,
                News = page.News.End(run),
                LastSuccess = hasSucceeded ? now : page.LastSuccess,
                LastFailure = hasSucceeded ? page.LastFailure : now,
                FailuresInARow = hasSucceeded ? 0 : page.FailuresInARow + 1,
            };
        });
    }

    private void Change(Job job, Func<Page, Page> change)
    {
        lock (gate)
        {
            pages[job.Name] = change(pages[job.Name]);
        }
    }

    /// <param name="Stored">The journal as it was last read or written; null before.</param>
    /// <param name="News">The runs that ended here and are not in it yet.</param>
    private sealed record Page(JournalDocument? Stored, JournalDocument News)
    {
        public DateTimeOffset? RunningSince { get; init; }

        public TransferProgress? Progress { get; init; }

        public DateTimeOffset? LastSuccess { get; init; }

        public DateTimeOffset? LastFailure { get; init; }

        public int FailuresInARow { get; init; }

        public long? EarlierFailures { get; init; } = Stored?.Failures;

        public JobState State()
        {
            var all = Stored?.Plus(News) ?? News;
            return new JobState
            {
                RunningSince = RunningSince,
                Progress = Progress,
                Runs = all.Recent,
                LastSuccess = LastSuccess,
                LastFailure = LastFailure,
                FailuresInARow = FailuresInARow,
                EarlierFailures = EarlierFailures,
                Failures = Stored is not null || News.Failures > 0 ? all.Failures : null,
            };
        }
    }
}
