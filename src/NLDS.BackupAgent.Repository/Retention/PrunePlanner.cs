using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Looks at what the repository holds of a source and says what a prune would do. Reads only.</summary>
internal sealed class PrunePlanner(BackupRepository repository, RetentionOptions options)
{
    public async Task<PrunePlan> PlanAsync(IRetainedSource source, bool allowLarge, CancellationToken cancellationToken)
    {
        var plan = await DecideAsync(source, cancellationToken);
        var log = await LogPlanner.PlanAsync(source, plan, [.. plan.Backups.Where(b => b.Decision.IsKept)], cancellationToken);
        plan = plan with { Log = log.Plan, Warnings = [.. plan.Warnings, .. log.Remarks] };
        return plan with { Refusals = [.. PruneGuards.Refusals(plan, options, allowLarge)] };
    }

    /// <summary>The decision on each backup, without a look at the log.</summary>
    public async Task<PrunePlan> DecideAsync(IRetainedSource source, CancellationToken cancellationToken)
    {
        var (layout, now) = (source.Layout, repository.Clock.GetUtcNow());

        // The folders first: a backup that is sealed after this listing is in the second one, and is the newest.
        var folders = await BackupFolder.ListAsync(repository.Store, layout, cancellationToken);
        var backups = await repository.ListBackupsAsync(layout, cancellationToken);
        var policy = RetentionPolicy.Of(source.Retention, options, source.DefaultRetention);
        var candidates = new List<RetentionCandidate>();
        foreach (var backup in backups)
        {
            var folder = folders.GetValueOrDefault(backup.Id);
            candidates.Add(new RetentionCandidate(backup.Id, backup.Manifest.Ended)
            {
                Parent = backup.Parent is { } parent && BackupId.TryParse(parent, out var parentId) ? parentId : null,
                IsVerified = BackupChains.Of(backup, backups).All(b => folders.GetValueOrDefault(b.Id)?.IsVerified ?? false),
                Hold = folder is { IsHeld: true } ? await ReadHoldAsync(layout, backup.Id, cancellationToken) : null,
            });
        }

        var sealedIds = backups.Select(b => b.Id).Concat(backups.Damaged.Select(d => d.Id)).ToHashSet();
        var unsealed = new List<UnsealedBackup>();
        foreach (var folder in folders.Values.Where(f => !f.HasManifest && !sealedIds.Contains(f.Id)).OrderBy(f => f.Id))
        {
            unsealed.Add(await JudgeUnsealedAsync(layout, folder, now, cancellationToken));
        }

        var runningSince = unsealed.Min(u => u.MayRunSince);
        var decisions = RetentionDecisions.Decide(candidates, policy, now, runningSince).ToDictionary(d => d.Id);
        return new PrunePlan
        {
            Source = source.Name,
            Now = now,
            Policy = policy,
            WholeLogSince = candidates.Where(b => b.Id.Began <= now).MaxBy(b => b.Id) is { } newest
                ? RetentionDecisions.WholeLogSince(newest, policy.RecoveryWindow, runningSince)
                : DateTimeOffset.MinValue,
            Backups = [.. backups.Select(b => new PlannedBackup(
                b, decisions[b.Id], folders.GetValueOrDefault(b.Id)?.StoredBytes ?? b.StoredBytes, folders.GetValueOrDefault(b.Id)?.IsVerified ?? false)
            {
                HasTombstone = folders.GetValueOrDefault(b.Id)?.HasTombstone ?? false,
            })],
            Unsealed = unsealed,
            Damaged = backups.Damaged,
            Log = null,
            Refusals = [],
            Warnings =
            [
                .. backups.Where(b => b.Id.Began > now).Select(b => $"Backup {b.Id} of {source.Name} is dated in the future. Is this machine's clock right? It takes no place and is not removed."),
                .. backups.Damaged.Select(d => $"{d.Reason} It takes no place and is left alone; get it back from the bucket's versions, or remove '{layout.PrefixOf(d.Id)}' by hand."),
            ],
        };
    }

    private async Task<string> ReadHoldAsync(SnapshotLayout layout, BackupId id, CancellationToken cancellationToken)
    {
        try
        {
            var hold = await repository.Documents.FindAsync(layout.Hold(id), RetentionJson.Default.HoldDocument, cancellationToken);
            return hold?.Reason ?? "";
        }
        catch (NotRestorableException damage)
        {
            // Somebody wanted it kept; only why is lost.
            return damage.Message;
        }
    }

    /// <summary>A session may be at work under an id until nothing of it has moved for long enough, by every clock that says something about it.</summary>
    private async Task<UnsealedBackup> JudgeUnsealedAsync(SnapshotLayout layout, BackupFolder folder, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (folder.HasTombstone)
        {
            return new UnsealedBackup(folder.Id, folder.StoredBytes, Goes: true, "an earlier prune has begun to remove it");
        }

        var began = folder.HasClaim ? await ReadBeganAsync(layout, folder.Id, cancellationToken) : folder.Id.Began;
        var moved = folder.LastModified > began ? folder.LastModified : began;
        var mayRun = now - moved <= options.SweepAfter;
        var because = (mayRun, folder.IsHeld) switch
        {
            (true, _) => $"running since {began.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z, or left behind less than {RetentionPolicy.Words(options.SweepAfter)} ago",
            (_, true) => "never sealed, and held",
            _ => $"never sealed; nothing has moved since {moved.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z",
        };
        return new UnsealedBackup(folder.Id, folder.StoredBytes, Goes: !mayRun && !folder.IsHeld, because)
        {
            MayRunSince = mayRun ? (began < folder.Id.Began ? began : folder.Id.Began) : null,
        };
    }

    private async Task<DateTimeOffset> ReadBeganAsync(SnapshotLayout layout, BackupId id, CancellationToken cancellationToken)
    {
        try
        {
            var claim = await repository.Documents.FindAsync(layout.Claim(id), BackupJson.Default.BackupClaim, cancellationToken);
            return claim?.Began ?? id.Began;
        }
        catch (NotRestorableException)
        {
            // The id tells the same second.
            return id.Began;
        }
    }
}
