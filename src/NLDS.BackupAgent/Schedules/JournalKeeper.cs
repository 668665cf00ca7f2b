using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Schedules;

/// <summary>
/// Keeps the book of runs in the repository: reads it at start, counts the run that an earlier process left unfinished once this agent has the source's lease, and
/// writes each begin and end. It is a memory, never a condition: what fails here is said and made good with the next write.
/// </summary>
internal sealed partial class JournalKeeper(
    JobLedger ledger, TimeProvider time, LoopPulses pulses, ILogger<JournalKeeper> logger, JobJournal? journal = null, WriterLeases? leases = null) : BackgroundService
{
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    /// <summary>No run waits longer for its mark; the store's own retries go on for minutes.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>What the start of the agent waits for the journal, so that the first question for its metrics finds the counters.</summary>
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly TaskCompletionSource looked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Those whose journal this agent has made its own, by holding the lease when it read it.</summary>
    private readonly HashSet<string> owned = [];

    /// <summary>Those of whose trouble the log knows already.</summary>
    private readonly HashSet<string> complained = [];

    /// <summary>The begin mark of a run, if it can be had soon.</summary>
    public Task BeginAsync(Job job, CancellationToken cancellationToken) => WriteAsync(job, cancellationToken);

    /// <summary>The end mark; not with the run's token, which may just have ended it.</summary>
    public Task EndAsync(Job job) => WriteAsync(job, CancellationToken.None);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        if (journal is null)
        {
            return;
        }

        await looked.Task.WaitAsync(StartPatience, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override void Dispose()
    {
        turn.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (journal is null)
        {
            return;
        }

        var unread = ledger.Jobs.ToList();
        var pulse = pulses.Of("the keeper of the journal");
        while (!stoppingToken.IsCancellationRequested)
        {
            foreach (var job in ledger.Jobs.Where(job => unread.Contains(job) || Holds(job) != owned.Contains(job.Name)).ToList())
            {
                pulse.Rest();
                if (await TryAsync(job, unread.Contains(job) ? LogUnread : LogUnwritten, token => ReadAsync(job, token), stoppingToken))
                {
                    unread.Remove(job);
                }
            }

            looked.TrySetResult();
            await pulse.WaitAsync(LookEvery, stoppingToken);
        }
    }

    private bool Holds(Job job) => leases?.For(job.Entry.Name).IsHeld ?? true;

    private async Task WriteAsync(Job job, CancellationToken cancellationToken)
    {
        if (journal is not null && Holds(job))
        {
            await TryAsync(job, LogUnwritten, token => ReadAndWriteAsync(job, token), cancellationToken);
        }
    }

    private async Task ReadAndWriteAsync(Job job, CancellationToken cancellationToken)
    {
        // What an earlier process left must be counted before it is written over.
        if (!owned.Contains(job.Name))
        {
            await ReadAsync(job, cancellationToken);
        }

        if (ledger.Journal(job) is (var document, var news))
        {
            await journal!.WriteAsync(document, cancellationToken);
            ledger.Written(job, document, news);
        }
    }

    private async Task ReadAsync(Job job, CancellationToken cancellationToken)
    {
        var holds = Holds(job);
        var (stored, wasDamaged) = await journal!.ReadAsync(job.Name, cancellationToken);
        if (wasDamaged)
        {
            LogDamaged(job.Name);
        }

        if (!holds)
        {
            owned.Remove(job.Name);
            ledger.Read(job, stored);
            return;
        }

        var recovered = stored.Recover(ledger.Process);
        if (recovered != stored)
        {
            LogKilled(job.Name, $"{stored.Current!.Began:u}");
            await journal.WriteAsync(recovered, cancellationToken);
        }

        ledger.Read(job, recovered, stored.Failures);
        owned.Add(job.Name);
    }

    /// <summary>One at a time, and never for long.</summary>
    private async Task<bool> TryAsync(Job job, Action<string, string> say, Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var isMine = false;
        try
        {
            await turn.WaitAsync(either.Token);
            isMine = true;
            await work(either.Token);
            complained.Remove(job.Name);
            return true;
        }
        catch (Exception failure) when (failure is ObjectStoreException or OperationCanceledException)
        {
            if (!cancellationToken.IsCancellationRequested && isMine && complained.Add(job.Name))
            {
                say(job.Name, failure is OperationCanceledException ? "The store did not answer in time." : failure.Message);
            }

            return false;
        }
        finally
        {
            if (isMine)
            {
                turn.Release();
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "The journal of {Job} is damaged; it begins anew, and its earlier failures are not counted any more.")]
    private partial void LogDamaged(string job);

    [LoggerMessage(LogLevel.Error, "{Job} was under way since {Began} when the agent before this one was killed: that run counts as failed.")]
    private partial void LogKilled(string job, string began);

    [LoggerMessage(LogLevel.Warning, "The journal of {Job} could not be read: {Message} Its earlier runs are not known yet.")]
    private partial void LogUnread(string job, string message);

    [LoggerMessage(LogLevel.Warning, "The journal of {Job} could not be written: {Message} The next run writes it again.")]
    private partial void LogUnwritten(string job, string message);
}
