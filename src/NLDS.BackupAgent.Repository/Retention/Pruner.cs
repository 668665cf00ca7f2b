using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>What a prune has done.</summary>
/// <param name="Plan">What it set out to do.</param>
/// <param name="Backups">How many backups it removed.</param>
/// <param name="Objects">How many objects.</param>
/// <param name="Left">What it set out to remove and did not, each with the reason: locked by the store, held meanwhile, out of time.</param>
public sealed record PruneReport(PrunePlan Plan, int Backups, int Objects, IReadOnlyList<string> Left);

/// <summary>
/// Retention's one door: plans, and does what a plan says. Each removal can break off anywhere and is taken up by the next run; nothing that a kept, running or
/// held backup needs is ever touched.
/// </summary>
public sealed partial class Pruner(BackupRepository repository, RetentionOptions options, ILogger<Pruner> logger, WriterLeases? leases = null)
{
    private readonly BackupRepository repository = repository;
    private readonly PrunePlanner planner = new(repository, options);

    /// <summary>What <see cref="PruneAsync"/> would do now; reads only.</summary>
    public async Task<PrunePlan> PlanAsync(IRetainedSource source, bool allowLarge, CancellationToken cancellationToken)
    {
        await repository.RequireAsync(cancellationToken);
        return await planner.PlanAsync(source, allowLarge, cancellationToken);
    }

    /// <summary>Why each backup is kept, without a look at the log: for lists.</summary>
    public Task<PrunePlan> DecideAsync(IRetainedSource source, CancellationToken cancellationToken) => planner.DecideAsync(source, cancellationToken);

    /// <param name="source">Whose backups.</param>
    /// <param name="allowLarge">A human has seen the plan and wants more than half of the backups gone.</param>
    /// <param name="limit">How long it may take; null for as long as it does.</param>
    /// <param name="cancellationToken">Breaks it off; the next run goes on.</param>
    /// <exception cref="SourceException">A guard refuses, or another agent has the source's lease; the message says what to do. Nothing was removed.</exception>
    public async Task<PruneReport> PruneAsync(IRetainedSource source, bool allowLarge, TimeSpan? limit, CancellationToken cancellationToken)
    {
        // Held from before the plan, so that nobody writes between what is seen and what is done.
        var lease = leases?.For(source.Name);
        await using var hold = lease is null ? null : await lease.HoldAsync(cancellationToken);
        var plan = await PlanAsync(source, allowLarge, cancellationToken);
        foreach (var warning in plan.Warnings)
        {
            LogWarning(warning);
        }

        if (plan.Refusals.Count > 0)
        {
            throw new SourceException(string.Join(" ", plan.Refusals), isPermanent: true);
        }

        // What a prune records must be believed by the agents that hold the key.
        await repository.PrepareAsync(cancellationToken);

        var run = new Run(this, source, plan, lease?.Fence(repository.Store) ?? repository.Store, new PruneBudget(repository.Clock, limit));
        await run.RemoveBackupsAsync(cancellationToken);
        await run.SweepAsync(cancellationToken);
        await run.RemoveLogAsync(cancellationToken);
        return new PruneReport(plan, run.Backups, run.Objects, run.Left);
    }

    /// <summary>One prune on its way.</summary>
    private sealed class Run(Pruner pruner, IRetainedSource source, PrunePlan plan, IObjectStore store, PruneBudget budget)
    {
        private readonly List<PlannedBackup> staying = [.. plan.Backups.Where(b => b.Decision.IsKept)];

        public int Backups { get; private set; }

        public int Objects { get; private set; }

        public List<string> Left { get; } = [];

        public async Task RemoveBackupsAsync(CancellationToken cancellationToken)
        {
            foreach (var revived in staying.Where(b => b.HasTombstone))
            {
                await Removal(revived.Backup.Id).WithdrawAsync(cancellationToken);
            }

            foreach (var going in InOrder([.. plan.Going]))
            {
                var removal = Removal(going.Backup.Id);
                var why = budget.IsSpent ? "its turn comes in the next prune"
                    : staying.FirstOrDefault(s => s.Backup.Parent == going.Backup.Id.ToString()) is { } child ? $"{child.Backup.Id} builds upon it and has stayed"
                    : await removal.RemoveAsync(going, cancellationToken);
                Objects += removal.Objects;
                if (why is null)
                {
                    Backups++;
                    pruner.LogRemoved(source.Name, going.Backup.Id, going.Decision.GoesBecause);
                }
                else
                {
                    Left.Add($"backup {going.Backup.Id}: {why}");

                    // As long as its manifest may be there, its log stays too.
                    staying.Add(going);
                }
            }
        }

        /// <summary>The oldest first, as time itself would have it; but what builds upon a backup before that one, lest a prune that breaks off leave a child without it.</summary>
        private static IEnumerable<PlannedBackup> InOrder(IReadOnlyList<PlannedBackup> going)
        {
            IReadOnlyList<SealedBackup> backups = [.. going.Select(g => g.Backup)];
            return going.OrderBy(g => BackupChains.Of(g.Backup, backups)[0].Id).ThenByDescending(g => g.Backup.Id);
        }

        public async Task SweepAsync(CancellationToken cancellationToken)
        {
            foreach (var remains in plan.Unsealed.Where(u => u.Goes))
            {
                var removal = Removal(remains.Id);
                var why = budget.IsSpent ? "their turn comes in the next prune" : await removal.SweepAsync(remains.Because, cancellationToken);
                Objects += removal.Objects;
                if (why is not null)
                {
                    Left.Add($"remains of {remains.Id}: {why}");
                }
            }
        }

        /// <summary>What the log is needed for is judged anew: by what has stayed, not by what was meant to.</summary>
        public async Task RemoveLogAsync(CancellationToken cancellationToken)
        {
            if (await LogPlanner.FindSuperfluousAsync(source, plan, [.. staying.OrderBy(b => b.Backup.Id)], cancellationToken) is not { } log)
            {
                return;
            }

            var removal = new LogRemoval(store, pruner.repository.Clock, budget);
            if (await removal.RemoveAsync(log, cancellationToken) is { } why)
            {
                Left.Add($"log: {why}");
            }

            Objects += removal.Objects;
        }

        private BackupRemoval Removal(BackupId id) => new(pruner.repository, store, source.Layout, id, budget);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Warning}")]
    private partial void LogWarning(string warning);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Source}: backup {Id} was removed: {Reason}.")]
    private partial void LogRemoved(string source, BackupId id, string? reason);
}
