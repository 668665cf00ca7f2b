using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Schedules;

/// <summary>
/// Prunes when <c>prune</c> beside this agent asks for it. That is no run of the job: what a human was refused is no failure of the agent. It takes the job's place meanwhile, so
/// that two prunes of one source never run at once.
/// </summary>
internal sealed partial class PruneDesk(
    JobLedger ledger, IEnumerable<IRetainedSource> sources, Pruner pruner, PruneRequests requests, LoopPulses pulses, ILogger<PruneDesk> logger) : BackgroundService
{
    /// <summary>Only memory is looked at: the lease's beat, every few seconds, brings the news.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of("the desk for prunes");
        while (!stoppingToken.IsCancellationRequested)
        {
            foreach (var source in sources.Where(source => requests.IsAsked(source.Name)))
            {
                pulse.Rest();
                try
                {
                    await requests.AnswerAsync(source.Name, (allowLarge, by) => PruneAsync(source, allowLarge, by, stoppingToken), stoppingToken);
                }
                catch (Exception unanswered) when (unanswered is ObjectStoreException or OperationCanceledException)
                {
                    LogUnanswered(source.Name, unanswered.Message);
                }
            }

            await pulse.WaitAsync(LookEvery, stoppingToken);
        }
    }

    private async Task<PruneReport> PruneAsync(IRetainedSource source, bool allowLarge, string by, CancellationToken cancellationToken)
    {
        var job = ledger.Jobs.FirstOrDefault(job => job.Kind == JobKind.Prune && job.Entry.Name == source.Name);
        if (job is not null && !ledger.TryBegin(job))
        {
            throw new SourceException($"A prune of {source.Name} is running. Try again when it is done.", isPermanent: false);
        }

        try
        {
            LogBegin(source.Name, by);
            var report = await pruner.PruneAsync(source, allowLarge, limit: null, cancellationToken);
            LogDone(source.Name, report.Backups, report.Objects);
            return report;
        }
        finally
        {
            if (job is not null)
            {
                ledger.Withdraw(job);
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "{Source} is pruned now: {By} asked for it.")]
    private partial void LogBegin(string source, string by);

    [LoggerMessage(LogLevel.Information, "{Source} was pruned: {Backups} backups and {Objects} objects in all were removed.")]
    private partial void LogDone(string source, int backups, int objects);

    [LoggerMessage(LogLevel.Warning, "A request to prune {Source} could not be answered: {Reason}")]
    private partial void LogUnanswered(string source, string reason);
}
