using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>A target as a place in the log.</summary>
/// <param name="NeededTo">Recovery reads no WAL beyond this.</param>
internal sealed record FoundTarget(StopPoint Stop, Lsn NeededTo, string Words, DateTimeOffset? RecoversTo, IReadOnlyList<string> Warnings);

/// <summary>Finds where a target lies in the log behind a base backup.</summary>
internal sealed class TargetSearch(LogArchive archive, LogInventory inventory, WalSegmentSize size, TimeSpan grace, TimeProvider clock)
{
    /// <summary>Seals are a few hundred bytes each: it is round trips that take time.</summary>
    public const int ParallelReads = 16;

    /// <returns>Null when the target lies before the backup is consistent: an older backup is needed.</returns>
    /// <exception cref="NotRestorableException">The target lies behind the end of the log, or in a hole.</exception>
    public Task<FoundTarget?> FindAsync(RestoreTarget target, BaseBackup backup, WalPath path, CancellationToken cancellationToken) => target switch
    {
        RestoreTarget.AtTime(var time) => FindTimeAsync(time, backup, path, cancellationToken),
        RestoreTarget.AtPosition(var position) => FindPositionAsync(position, $"LSN {position}", backup, path, cancellationToken),
        RestoreTarget.AtName(var name) => FindNameAsync(name, backup, path, cancellationToken),
        _ => FindEndAsync(backup, path, [], cancellationToken),
    };

    private async Task<FoundTarget?> FindEndAsync(BaseBackup backup, WalPath path, IReadOnlyList<string> warnings, CancellationToken cancellationToken)
    {
        if (path.Hole is { } hole)
        {
            throw new NotRestorableException($"{hole}. To restore what lies before it, use --to {path.End}.");
        }

        var last = await LastRecordAsync(path.Files, path.End, backup, cancellationToken);
        return new FoundTarget(
            new StopPoint(last.Start, Inclusive: true), path.End, $"the end of the archive at {last.End}", await ProvenUntilAsync(path, cancellationToken), warnings);
    }

    private async Task<FoundTarget?> FindPositionAsync(
        Lsn position, string words, BaseBackup backup, WalPath path, CancellationToken cancellationToken)
    {
        if (position < backup.End)
        {
            return null;
        }

        if (position > path.End)
        {
            throw new NotRestorableException($"{words} lies behind the end of the log at {path.End}. {(path.Hole is { } hole ? hole + "." : "Use --to latest.")}");
        }

        var files = path.FilesBefore(position);
        var last = await LastRecordAsync(files, position, backup, cancellationToken);
        return new FoundTarget(new StopPoint(last.Start, Inclusive: true), position, words, null, []);
    }

    private async Task<FoundTarget?> FindNameAsync(string name, BaseBackup backup, WalPath path, CancellationToken cancellationToken)
    {
        var marks = new List<LogMark>();
        await foreach (var mark in archive.ReadMarksAsync(cancellationToken))
        {
            if (mark.Name == name && path.History.TimelineOwning(new Lsn(mark.Start)) == WalNaming.Timeline(mark.Lineage))
            {
                marks.Add(mark);
            }
        }

        if (marks.Count == 0)
        {
            throw new NotRestorableException($"The repository knows no restore point '{name}' on the history of timeline {path.History.Timeline}.");
        }

        var newest = marks.MaxBy(m => m.Start)!;
        var found = await FindPositionAsync(new Lsn(newest.End), $"restore point '{name}' of {newest.Time.UtcDateTime:O}", backup, path, cancellationToken);
        return marks.Count == 1 || found is null
            ? found
            : found with { Warnings = [$"There are {marks.Count} restore points '{name}'; the newest, of {newest.Time.UtcDateTime:O}, was taken. For another one use its LSN: {string.Join(", ", marks.Select(m => new Lsn(m.End)))}."] };
    }

    private async Task<FoundTarget?> FindTimeAsync(DateTimeOffset time, BaseBackup backup, WalPath path, CancellationToken cancellationToken)
    {
        if (time < (backup.Details.StartedAt ?? backup.Sealed.Manifest.Began))
        {
            // The backup may hold commits that are later than the target and lie before all the log that is read here.
            return null;
        }

        if (await FirstFileAfterAsync(time, path, cancellationToken) is { } index
            && await WalReading.FirstTransactionAfterAsync(archive, path.Files, index, time, size, cancellationToken) is { } later)
        {
            return later.Start < backup.End.Value
                ? null
                : new FoundTarget(new StopPoint(new Lsn(later.Start), Inclusive: false), new Lsn(later.End), $"{time.UtcDateTime:O}", time, []);
        }

        var proven = await ProvenUntilAsync(path, cancellationToken);
        if (path.Hole is { } hole)
        {
            throw new NotRestorableException($"{time.UtcDateTime:O} lies behind a hole. {hole}. To restore what lies before it, use --to {path.End}.");
        }

        if (proven is null || time > proven + grace || time > clock.GetUtcNow() + grace)
        {
            throw new NotRestorableException(
                $"{time.UtcDateTime:O} lies behind the last moment that the repository can prove, {proven?.UtcDateTime:O}: commits after it may be missing. Use --to latest.");
        }

        var found = await FindEndAsync(backup, path, [], cancellationToken);
        return time <= proven || found is null
            ? found
            : found with
            {
                Warnings = [$"The repository proves nothing later than {proven.Value.UtcDateTime:O}, {(time - proven.Value).TotalSeconds:F1} s before the target; a commit in between would be missing."],
            };
    }

    /// <summary>The first file that holds a transaction which ended after <paramref name="time"/>, by the pieces' own seals.</summary>
    private async Task<int?> FirstFileAfterAsync(DateTimeOffset time, WalPath path, CancellationToken cancellationToken)
    {
        for (var first = 0; first < path.Files.Count; first += ParallelReads)
        {
            var batch = path.Files.Skip(first).Take(ParallelReads).Select(file => LatestAsync(file, cancellationToken)).ToList();
            var latest = await Task.WhenAll(batch);
            var index = Array.FindIndex(latest, l => l > time);
            if (index >= 0)
            {
                return first + index;
            }
        }

        return null;
    }

    private async Task<DateTimeOffset?> LatestAsync(WalFile file, CancellationToken cancellationToken)
    {
        DateTimeOffset? latest = null;
        foreach (var piece in file.Pieces)
        {
            var seal = await archive.ReadSealAsync(piece, cancellationToken);
            latest = latest is null || seal.Latest > latest ? seal.Latest ?? latest : latest;
        }

        return latest;
    }

    /// <summary>Nothing older than this is missing at the end of the path.</summary>
    private async Task<DateTimeOffset?> ProvenUntilAsync(WalPath path, CancellationToken cancellationToken)
    {
        var seal = await archive.ReadSealAsync(path.Files[^1].Pieces[^1], cancellationToken);
        var proven = seal.AsOf;
        return inventory.Confirmation is { } confirmed && confirmed.Lineage == seal.Lineage && confirmed.Position <= path.End.Value && !(confirmed.AsOf < proven)
            ? confirmed.AsOf
            : proven;
    }

    private async Task<(Lsn Start, Lsn End)> LastRecordAsync(
        IReadOnlyList<WalFile> files, Lsn limit, BaseBackup backup, CancellationToken cancellationToken)
    {
        var last = await WalReading.LastRecordAsync(archive, files, limit, size, cancellationToken);
        return last is { } found && found.End >= backup.End
            ? found
            : throw new NotRestorableException($"The WAL before {limit} holds no record that base backup {backup.Sealed.Id}, consistent from {backup.End} on, could be recovered to: it is damaged.");
    }
}
