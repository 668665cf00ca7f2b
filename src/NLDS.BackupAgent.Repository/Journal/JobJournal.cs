using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Journal;

/// <summary>The journals of all jobs, as they lie in the store.</summary>
public sealed class JobJournal(BackupRepository repository)
{
    /// <summary>The journal of a job, empty when the store said that there is none. A damaged one is empty too: it is a memory, not a backup.</summary>
    /// <exception cref="ObjectStoreException">It could not be read: how often the job has failed is not known.</exception>
    public async Task<(JournalDocument Document, bool WasDamaged)> ReadAsync(string job, CancellationToken cancellationToken)
    {
        try
        {
            var found = await repository.Documents.FindRegisterAsync(Key(job), JournalJson.Default.JournalDocument, cancellationToken);
            return (found ?? JournalDocument.Empty(job), false);
        }
        catch (NotRestorableException)
        {
            return (JournalDocument.Empty(job), true);
        }
    }

    public Task WriteAsync(JournalDocument document, CancellationToken cancellationToken) =>
        repository.Documents.ReplaceAsync(Key(document.Job), document, JournalJson.Default.JournalDocument, cancellationToken);

    private static ObjectKey Key(string job) => new($"journal/{job}.json");
}
