using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Documents;

/// <summary>The repository's own JSON documents: each proves itself, and one that does not is damage, never data.</summary>
internal sealed class DocumentStore(IObjectStore store)
{
    /// <summary>Puts a document that is never changed.</summary>
    /// <returns>False when the name is taken by other bytes; a put whose answer was lost finds its own.</returns>
    public Task<bool> PutAsync<T>(ObjectKey key, T document, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        PutAsync(key, document, type, Protection.None, cancellationToken);

    /// <summary>As above, and says whether retention alone removes it.</summary>
    public async Task<bool> PutAsync<T>(
        ObjectKey key, T document, JsonTypeInfo<T> type, Protection protection, CancellationToken cancellationToken)
    {
        var bytes = ProvenDocument.Write(document, type);
        if (await store.PutIfAbsentAsync(key, bytes, protection, cancellationToken))
        {
            return true;
        }

        try
        {
            return (await store.ReadAllAsync(key, cancellationToken)).AsSpan().SequenceEqual(bytes);
        }
        catch (ObjectNotFoundException)
        {
            // Whoever had the name gave it up just now.
            return false;
        }
    }

    /// <summary>Puts a document that is a register by nature, whatever was there.</summary>
    public Task ReplaceAsync<T>(ObjectKey key, T document, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        store.ReplaceAsync(key, ProvenDocument.Write(document, type), cancellationToken);

    /// <exception cref="ObjectNotFoundException">The store said that it is absent.</exception>
    /// <exception cref="NotRestorableException">It is damaged.</exception>
    public async Task<T> ReadAsync<T>(ObjectKey key, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        var bytes = await store.ReadAllAsync(key, cancellationToken);
        try
        {
            return ProvenDocument.Read(bytes, type);
        }
        catch (JsonException)
        {
            throw new NotRestorableException($"The object '{key}' in {store.Description} is damaged: it is not the JSON document that was written.");
        }
    }

    /// <summary>The document, or null when the store said that it is absent.</summary>
    /// <exception cref="NotRestorableException">It is damaged.</exception>
    public async Task<T?> FindAsync<T>(ObjectKey key, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await ReadAsync(key, type, cancellationToken);
        }
        catch (ObjectNotFoundException)
        {
            return null;
        }
    }
}
