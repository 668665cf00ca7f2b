using System.Globalization;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Schedules;

/// <summary>The reading back of what is stored, as jobs: one for each enabled source. A run that finds damage is a failed run.</summary>
internal sealed class VerifyJobs(SourceCatalog sources, AgentConfiguration configuration, CatalogView catalog, IOptions<VerificationOptions> options, TimeProvider time)
{
    public IEnumerable<Job> All()
    {
        foreach (var schedule in configuration.Schedules().Where(schedule => schedule.Kind == JobKind.Verify))
        {
            var entry = sources.Enabled.First(entry => entry.Name == schedule.Source);
            yield return new Job(
                schedule.Job, entry, JobKind.Verify, schedule, (progress, stopping) => VerifyAsync(entry, VerifyScope.Daily(options.Value.FullEvery), progress, stopping));
        }
    }

    /// <summary>The same job, for once, on what was never read back: a backup that was just sealed, and the log that it needs.</summary>
    public Job OnlyNew(Job job) => job with
    {
        RunAsync = (progress, stopping) => VerifyAsync(job.Entry, VerifyScope.New with { Heals = true }, progress, stopping),
    };

    private async Task<JobResult> VerifyAsync(SourceEntry entry, VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var report = await entry.Source.VerifyAsync(scope, progress, cancellationToken);
        catalog.Verified(report, time.GetUtcNow());

        // What became verified shows at once.
        catalog.Read(await entry.Source.ListAsync(cancellationToken));
        var notes = string.Concat(report.Notes.Select(note => $"; {note.TrimEnd('.')}"));
        return report.Damage.Count == 0
            ? new JobResult(string.Create(
                CultureInfo.InvariantCulture, $"read {report.ObjectsRead} objects back, {report.StoredBytes} bytes stored, and found nothing damaged; {report.ObjectsBelieved} had been proven before{notes}"))
            {
                Bytes = report.ContentBytes,
            }
            : throw new NotRestorableException(Words(report));
    }

    /// <summary>As much as a log line and a status page take; all of it is in the status document.</summary>
    private static string Words(VerifyReport report)
    {
        const int shown = 3;
        var findings = report.Damage.Take(shown).Select(f => $"{f.Subject}: {f.What.TrimEnd('.')}. Cost: {f.Cost.TrimEnd('.')}");
        var more = report.Damage.Count > shown ? $"; and {report.Damage.Count - shown} more" : "";
        return $"{report.Damage.Count} of the repository's objects are damaged or missing: {string.Join("; ", findings)}{more}. 'verify {report.Source}' shows all.";
    }
}
