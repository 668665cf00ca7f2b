using System.Globalization;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>
/// Keeps the record of what was removed of one log: immutable generations <c>pruned/GENERATION.json</c>, each holding all of the one before. Two prunes at
/// once cannot lose each other's sections, because a generation is put only once.
/// </summary>
internal sealed class PrunedLogStore(IObjectStore store, DocumentStore documents, string folder)
{
    /// <summary>A generation may be replaced between its listing and its reading, and by another writer between reading and putting; hardly ever twice.</summary>
    private const int Attempts = 5;

    /// <summary>Whoever listed the last but one can still read it.</summary>
    private const int GenerationsKept = 2;

    /// <exception cref="Sources.NotRestorableException">The record is damaged, or not written by a holder of the key.</exception>
    public async Task<PrunedLog> ReadAsync(CancellationToken cancellationToken) => (await ReadNewestAsync(cancellationToken)).Pruned;

    /// <summary>Records that <paramref name="removed"/> is not meant to be there any more, before it is removed.</summary>
    public async Task RecordAsync(IReadOnlyList<LogSection> removed, DateTimeOffset now, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var (generation, pruned, keys) = await ReadNewestAsync(cancellationToken);
            if (removed.All(section => pruned.Explains(section.Lineage, section.Start, section.End)))
            {
                return;
            }

            var next = new PrunedLogDocument(now, LogSection.Union(pruned.Sections.Concat(removed)));
            if (await documents.PutAsync(Key(generation + 1), next, RetentionJson.Default.PrunedLogDocument, cancellationToken))
            {
                await store.DeleteAsync([.. keys.SkipLast(GenerationsKept - 1)], cancellationToken);
                return;
            }
        }

        throw Contended();
    }

    private async Task<(uint Generation, PrunedLog Pruned, IReadOnlyList<ObjectKey> Keys)> ReadNewestAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var generations = new List<(uint Number, ObjectKey Key)>();
            await foreach (var entry in store.ListAsync($"{folder}/pruned/", null, cancellationToken))
            {
                if (uint.TryParse(entry.Key.Name.AsSpan(0, Math.Min(8, entry.Key.Name.Length)), NumberStyles.AllowHexSpecifier, null, out var number)
                    && entry.Key == Key(number))
                {
                    generations.Add((number, entry.Key));
                }
            }

            if (generations.Count == 0)
            {
                return (0, PrunedLog.Nothing, []);
            }

            if (await documents.FindAsync(generations[^1].Key, RetentionJson.Default.PrunedLogDocument, cancellationToken) is { } document)
            {
                return (generations[^1].Number, new PrunedLog(document.RecordedAt, document.Sections), [.. generations.Select(g => g.Key)]);
            }
        }

        throw Contended();
    }

    private ObjectKey Key(uint generation) => new(string.Create(CultureInfo.InvariantCulture, $"{folder}/pruned/{generation:x8}.json"));

    private ObjectStoreException Contended() => new(
        $"The record of removed log '{folder}/pruned/' in {store.Description} changed {Attempts} times while it was read. Is another prune running? Try again.", isPermanent: false);
}
