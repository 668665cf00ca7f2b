using System.Globalization;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>
/// A drill on this machine: each source is restored by the very code that a disaster would call, started closed off, proved, put under load, and removed again. Of the
/// repository it changes nothing but adding its report.
/// </summary>
public sealed partial class DrillRunner(DrillReports reports, DrillOptions options, AgentIdentity agent, TimeProvider clock, ILogger<DrillRunner> logger)
{
    /// <summary>What a drill may take beyond its time-out.</summary>
    private static readonly TimeSpan CleanUpTime = TimeSpan.FromMinutes(2);

    private readonly DrillOptions options = options;
    private readonly TimeProvider clock = clock;

    /// <summary>Told each phase that has begun; a test ends there.</summary>
    internal Action<string, string> Reached { get; set; } = (_, _) => { };

    /// <summary>What chooses a random backup and second; a test's has a seed.</summary>
    internal Random Random { get; set; } = Random.Shared;

    private string Root => options.Directory ?? Path.GetTempPath();

    /// <summary>Removes what a killed drill left on this machine.</summary>
    public async Task SweepAsync()
    {
        foreach (var removed in await DrillScratch.SweepAsync(Root, options.Timeout + CleanUpTime, clock))
        {
            LogSwept(removed);
        }
    }

    /// <summary>
    /// What stands in the way of any drill on this machine, or null. A drill of some of the sources would look like one of all, so one that cannot be started is enough.
    /// </summary>
    /// <exception cref="SourceException">It is not known: there is nothing to restore yet, or the store does not answer.</exception>
    /// <exception cref="NotRestorableException">Nothing can be restored.</exception>
    public static async Task<string?> FindObstacleAsync(IEnumerable<IRehearsedSource> sources, CancellationToken cancellationToken)
    {
        foreach (var source in sources)
        {
            var plan = await source.PlanRestoreAsync(new RestoreRequest { HasTarget = false }, cancellationToken);
            try
            {
                await source.RequireProgramsAsync(plan, cancellationToken);
            }
            catch (SourceException missing)
            {
                return missing.Message;
            }
        }

        return null;
    }

    /// <summary>Drills every source, the next one also when one has failed, and writes the report.</summary>
    /// <returns>The report, and where its page lies in the repository.</returns>
    public async Task<(DrillReport Report, string Page)> RunAsync(
        IReadOnlyList<IRehearsedSource> sources, DrillChoice choice, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await SweepAsync();
        var began = clock.GetUtcNow();
        var id = await reports.NewIdAsync(began, cancellationToken);
        var earlier = await reports.ReadAsync(cancellationToken);
        var drilled = new List<SourceDrill>();
        var scratch = DrillScratch.Create(Root, id, clock);
        try
        {
            using var limit = new CancellationTokenSource(options.Timeout, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            foreach (var source in sources)
            {
                drilled.Add(await new SourceRun(this, source, choice, scratch, progress).RunAsync(either.Token, cancellationToken));
            }
        }
        finally
        {
            await scratch.DisposeAsync();
        }

        var report = DrillConclusion.Of(id, began, clock.GetUtcNow(), $"{agent.Instance} on {agent.Machine}", drilled, options, DrillMode.Local);
        var page = await reports.WriteAsync(report, earlier, cancellationToken);
        LogDrilled(report.Verdict, page);
        return (report, page);
    }

    /// <summary>One source's part of a drill.</summary>
    private sealed class SourceRun(DrillRunner drill, IRehearsedSource source, DrillChoice choice, DrillScratch scratch, IProgress<TransferProgress> progress)
    {
        private readonly DateTimeOffset drilledAt = drill.clock.GetUtcNow();
        private readonly List<DrillPhase> phases = [];
        private readonly List<RehearsalProof> proofs = [];
        private IReadOnlyList<string> environment = [];
        private RestorePlan? plan;
        private LoadResult? load;
        private string? to;
        private double? point;

        /// <param name="stopping">Signalled when the drill has taken too long, too.</param>
        /// <param name="cancelled">Signalled when it is given up.</param>
        public async Task<SourceDrill> RunAsync(CancellationToken stopping, CancellationToken cancelled)
        {
            try
            {
                await DrillAsync(stopping);
                return Result();
            }
            catch (NotRestorableException damage)
            {
                return Result() with { Failure = damage.Message, IsDamage = true };
            }
            catch (Exception failure) when (failure is SourceException || failure.IsStoreFailure())
            {
                return Result() with { Failure = failure.Message };
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested && !cancelled.IsCancellationRequested)
            {
                return Result() with { Failure = $"It took longer than Drill:Timeout ({drill.options.Timeout}) and was broken off." };
            }
            catch (Exception unforeseen) when (unforeseen is not OperationCanceledException)
            {
                // A copy that falls over under its proofs is what a drill is for; the next source is drilled all the same.
                drill.LogUnforeseen(unforeseen, source.Name);
                return Result() with { Failure = unforeseen.Message };
            }
        }

        private async Task DrillAsync(CancellationToken cancellationToken)
        {
            var (directory, privateDirectory) = scratch.For(source.Name);
            await PhaseAsync("choose and prove", true, async () => plan = await ChooseAsync(directory, cancellationToken));
            environment = [await source.RequireProgramsAsync(plan!, cancellationToken)];
            await PhaseAsync("restore", true, () => source.RestoreAsync(plan!, progress, cancellationToken));
            IRehearsal? started = null;
            await PhaseAsync("start and replay", true, async () => started = await source.RehearseAsync(plan!, privateDirectory, cancellationToken));
            await using var copy = started!;
            environment = copy.Description;
            await PhaseAsync("prove", false, async () =>
            {
                proofs.AddRange(await copy.ProveAsync(drill.options.ProofTime, cancellationToken));
                var checks = new DrillChecks(source, copy, to == "latest", drilledAt);
                foreach (var check in drill.options.Checks.Where(check => check.Source == source.Name))
                {
                    proofs.Add(await checks.ProveAsync(check, cancellationToken));
                    point = checks.HeartbeatPoint ?? point;
                }
            });
            if (drill.options.LoadTest.Enabled)
            {
                var statement = drill.options.LoadTest.Statements.GetValueOrDefault(source.Name);
                await PhaseAsync("load test", false, async () => load = await LoadTest.RunAsync(copy, drill.options.LoadTest, statement, drill.clock, cancellationToken));
            }

            await PhaseAsync("stop", false, async () => proofs.AddRange(await copy.StopAsync(cancellationToken)));
        }

        /// <summary>The plan to drill; and, whatever is drilled, what a restore to the end would lose now.</summary>
        private async Task<RestorePlan> ChooseAsync(string directory, CancellationToken cancellationToken)
        {
            var latest = await source.PlanRestoreAsync(new RestoreRequest { HasTarget = false }, cancellationToken);

            // On a quiet server the newest data are old, and yet nothing newer would be lost: up to there the log is proven to be whole.
            var proven = (await source.ListAsync(cancellationToken)).Log?.RestorableTo;
            point = (proven > latest.RecoversTo ? proven : latest.RecoversTo) is { } reached ? Math.Max(0, (drill.clock.GetUtcNow() - reached).TotalSeconds) : null;
            var (backup, moment) = await ChoiceAsync(cancellationToken);
            to = moment is { } time ? time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture) : "latest";
            return await source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = directory, To = to, BackupId = backup }, cancellationToken);
        }

        private async Task<(string? Backup, DateTimeOffset? Moment)> ChoiceAsync(CancellationToken cancellationToken)
        {
            if (choice is { Backup: DrilledBackup.Newest, Moment: DrilledMoment.Latest })
            {
                return (null, null);
            }

            var listing = await source.ListAsync(cancellationToken);
            if (listing.Log?.Spans is not [.., var (from, end)] || end <= from)
            {
                return (null, null);
            }

            // Behind an older backup there is a gap, or retention has removed the log.
            var backups = listing.Backups.Where(backup => backup.Manifest.Ended >= from).ToList();
            var backup = choice.Backup == DrilledBackup.Random && backups.Count > 0 ? backups[drill.Random.Next(backups.Count)] : null;
            if (choice.Moment == DrilledMoment.Latest)
            {
                return (backup?.Id.ToString(), null);
            }

            var first = (backup?.Manifest.Ended ?? from).AddSeconds(1).ToUnixTimeSeconds();
            var last = end.ToUnixTimeSeconds();
            return (backup?.Id.ToString(), first >= last ? null : DateTimeOffset.FromUnixTimeSeconds(drill.Random.NextInt64(first, last + 1)));
        }

        private async Task PhaseAsync(string name, bool isRecovery, Func<Task> work)
        {
            drill.Reached(source.Name, name);
            drill.LogPhase(source.Name, name);
            var began = drill.clock.GetTimestamp();
            try
            {
                await work();
            }
            finally
            {
                phases.Add(new DrillPhase(name, drill.clock.GetElapsedTime(began).TotalSeconds, isRecovery));
            }
        }

        private SourceDrill Result() => new()
        {
            Source = source.Name,
            Backup = plan?.BackupId,
            To = to,
            Target = plan?.Target,
            RecoversTo = plan?.RecoversTo,
            StoredBytes = plan?.StoredBytes ?? 0,
            ContentBytes = plan?.ContentBytes ?? 0,
            EstimateSeconds = plan?.Estimate.TotalSeconds,
            RecoveryTimeSeconds = phases.Count(phase => phase.IsRecovery) == 3 && phases.Exists(phase => !phase.IsRecovery)
                ? phases.Where(phase => phase.IsRecovery).Sum(phase => phase.Seconds)
                : null,
            RecoveryPointSeconds = point,
            Phases = phases,
            Environment = environment,
            Proofs = proofs,
            Load = load,
        };
    }

    [LoggerMessage(LogLevel.Information, "The drill of {Source}: {Phase}.")]
    private partial void LogPhase(string source, string phase);

    [LoggerMessage(LogLevel.Error, "The drill of {Source} broke off.")]
    private partial void LogUnforeseen(Exception exception, string source);

    [LoggerMessage(LogLevel.Information, "The drill has ended: {Verdict}. Its report is {Page}.")]
    private partial void LogDrilled(DrillVerdict verdict, string page);

    [LoggerMessage(LogLevel.Warning, "An earlier drill did not come to its end. What it left in '{Directory}' is removed.")]
    private partial void LogSwept(string directory);
}
