using System.Globalization;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Restore;

/// <summary>Proves a restore: the whole archive is read, and each data set compared with what is there, in transactions that are rolled back.</summary>
internal sealed class RestorePlanner(ApplicationDataOptions options, BackupRepository repository, SetRestorer restorer)
{
    /// <summary>Rows through COPY, comparison and INSERT on one core, measured with sessions.</summary>
    private const double BytesPerSecond = 20e6;

    public async Task<ApplicationDataRestorePlan> PlanAsync(RestoreRequest request, CancellationToken cancellationToken)
    {
        await repository.RequireAsync(cancellationToken);
        List<string> only = [.. request.Options.GetValueOrDefault(RestoreOptionNames.Only, []).SelectMany(names => names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        var (backup, manifest) = Choose(await repository.ListBackupsAsync(ArchiveDetails.Layout, cancellationToken), request.BackupId, only);
        List<ArchivedSet> sets = [.. manifest.DataSets.Where(set => only.Count == 0 || only.Contains(set.Name)).Select(AsConfigured)];
        var keeps = request.Options.ContainsKey(RestoreOptionNames.KeepTtl);
        await repository.RequireObjectAsync(ArchiveDetails.ArchiveOf(backup), cancellationToken);
        var results = await restorer.RunAsync(backup, manifest, sets, keeps, applies: false, new Progress<TransferProgress>(), cancellationToken);
        var failures = results.SelectMany(result => result.Failures).ToList();
        return results.All(result => result.Failures.Count > 0)
            ? throw new SourceException($"Nothing of backup {backup.Id} can be restored. {string.Join(" ", failures)}", isPermanent: true)
            : new ApplicationDataRestorePlan
            {
                Source = ArchiveDetails.Source,
                BackupId = backup.Id.ToString(),
                Backup = backup,
                Manifest = manifest,
                Sets = sets,
                KeepsLifetimes = keeps,
                Target = $"the rows and keys of {(manifest.SnapshotAt ?? backup.Manifest.Began).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}",
                RecoversTo = manifest.SnapshotAt,
                StoredBytes = backup.StoredBytes,
                ContentBytes = sets.Sum(set => set.Files.Sum(file => file.Bytes)),
                Estimate = TimeSpan.FromSeconds(1 + (sets.Sum(set => set.Files.Sum(file => file.Bytes)) / BytesPerSecond)),
                Steps = [.. results.Where(result => result.Failures.Count == 0).Select(result => $"{result.Set.Name} into {result.Where}: {result.Counts}")],
                Warnings = [.. failures.Select(failure => $"Will not be restored: {failure}"), .. only.Count == 0 ? backup.Omissions : []],
            };
    }

    /// <summary>The backup that was named, or the newest that has what is wanted.</summary>
    private static (SealedBackup Backup, ArchiveManifest Manifest) Choose(BackupListing<SealedBackup> backups, string? wanted, List<string> only)
    {
        if (backups.Damaged.FirstOrDefault(damaged => damaged.Id.ToString() == wanted) is { } unreadable)
        {
            throw new NotRestorableException($"Application data backup {wanted} cannot be restored: {unreadable.Reason}");
        }

        var candidates = backups.Where(backup => wanted is null or "latest" || backup.Id.ToString() == wanted).Reverse().ToList();
        if (candidates.Count == 0)
        {
            throw new NotRestorableException(
                backups.Count == 0
                    ? string.Join(" ", backups.Damaged.Select(damaged => damaged.Reason).Append("There is no backup of application data in the repository that can be restored. Run 'backup application-data'."))
                    : $"There is no application data backup '{wanted}'. Those there are: {string.Join(", ", backups.Select(backup => backup.Id))}.");
        }

        foreach (var candidate in candidates)
        {
            var manifest = ArchiveDetails.Read(candidate);
            if (only.All(name => manifest.DataSets.Any(set => set.Name == name)))
            {
                return (candidate, manifest);
            }
        }

        var newest = ArchiveDetails.Read(candidates[0]);
        var absent = only.First(name => newest.DataSets.All(set => set.Name != name));
        throw new UsageException($"No backup has all of {string.Join(", ", only)}: {candidates[0].Id} has no data set '{absent}', but {string.Join(", ", newest.DataSets.Select(set => set.Name))}.");
    }

    /// <summary>Where a table was renamed, or got another key, the configuration knows better than an old backup.</summary>
    private ArchivedSet AsConfigured(ArchivedSet set) => options.DataSets.TryGetValue(set.Name, out var said) && !set.IsCache
        ? set with { Table = said.Table ?? set.Table, Key = said.Key ?? set.Key }
        : set;
}
