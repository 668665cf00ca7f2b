using System.Globalization;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Schedules;

/// <summary>The taking of backups as jobs: one for each enabled source that has any. Without a schedule it runs only when a backup is needed.</summary>
internal static class SnapshotJobs
{
    public static IEnumerable<Job> Of(SourceCatalog sources, AgentConfiguration configuration, CatalogView catalog)
    {
        foreach (var entry in sources.Enabled.Where(entry => entry.Snapshot is not null))
        {
            var schedule = configuration.Schedules().FirstOrDefault(schedule => schedule.Source == entry.Name && schedule.Kind == JobKind.Backup);
            yield return new Job(
                schedule?.Job ?? entry.Name,
                entry,
                JobKind.Backup,
                schedule,
                (progress, cancellationToken) => TakeAsync(entry, catalog, progress, cancellationToken));
        }
    }

    private static async Task<JobResult> TakeAsync(
        SourceEntry entry, CatalogView catalog, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var backup = await entry.Snapshot!.TakeAsync(progress, cancellationToken);
        catalog.Sealed(entry.Name, backup);
        return new JobResult(Summary(backup))
        {
            Backup = backup.Id.ToString(),
            Bytes = backup.ContentBytes,
        };
    }

    private static string Summary(SealedBackup backup) => backup switch
    {
        { UnchangedAt: not null } => $"found nothing changed since backup {backup.Id}",
        { Omissions: [_, ..] omissions } => $"sealed backup {backup.Id}, which is partial: {string.Join(" ", omissions)}",
        _ => string.Create(CultureInfo.InvariantCulture, $"sealed backup {backup.Id}: {backup.ContentBytes} bytes, {backup.StoredBytes} stored"),
    };
}
