using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Documents;

/// <summary>
/// The repository's own JSON documents: each proves itself, and one that does not is damage, never data. With a key each is authenticated too, and one that no
/// holder of the key wrote is not believed.
/// </summary>
internal sealed class DocumentStore(IObjectStore store, Keyring? keys = null)
{
    /// <summary>Behind a small file's name: its SHA-256, as <c>sha256sum</c> writes it.</summary>
    public const string ChecksumSuffix = ".sha256";

    public DocumentTrust Trust { get; } = new(store, keys ?? Keyring.Empty);

    public Keyring Keys { get; } = keys ?? Keyring.Empty;

    /// <summary>Is this the name of something that a holder of the key authenticates?</summary>
    public static bool IsDocument(ObjectKey name) =>
        name.Value.EndsWith(".json", StringComparison.Ordinal) || name.Value.EndsWith(ChecksumSuffix, StringComparison.Ordinal);

    /// <summary>Who says that he wrote it; null when nobody does.</summary>
    public static Authenticator? FindAuthenticator(ObjectKey name, ReadOnlySpan<byte> document) =>
        name.Value.EndsWith(ChecksumSuffix, StringComparison.Ordinal)
            ? Authenticator.Find(Authenticator.Form.Checksum, document)
            : ProvenDocument.FindAuthenticator(document);

    /// <summary>Puts a document that is never changed.</summary>
    /// <returns>False when the name is taken by other bytes; a put whose answer was lost finds its own.</returns>
    public Task<bool> PutAsync<T>(ObjectKey key, T document, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        PutAsync(key, document, type, Protection.None, cancellationToken);

    /// <summary>As above, and says whether retention alone removes it.</summary>
    public async Task<bool> PutAsync<T>(
        ObjectKey key, T document, JsonTypeInfo<T> type, Protection protection, CancellationToken cancellationToken)
    {
        var bytes = ProvenDocument.Write(document, type, key, Trust.Writing);
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
        store.ReplaceAsync(key, ProvenDocument.Write(document, type, key, Trust.Writing), cancellationToken);

    /// <exception cref="ObjectNotFoundException">The store said that it is absent.</exception>
    /// <exception cref="NotRestorableException">It is damaged, or not written by a holder of the key.</exception>
    public async Task<T> ReadAsync<T>(ObjectKey key, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        (await ReadWithHashAsync(key, type, cancellationToken)).Document;

    /// <summary>A document and the SHA-256 that it says of itself, by which others can refer to it.</summary>
    /// <exception cref="ObjectNotFoundException">The store said that it is absent.</exception>
    /// <exception cref="NotRestorableException">It is damaged, or not written by a holder of the key.</exception>
    public async Task<(T Document, string Sha256)> ReadWithHashAsync<T>(ObjectKey key, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        var (document, bytes) = await ReadProvenAsync(key, type, cancellationToken);
        return await Trust.FindFaultAsync(key, bytes, ProvenDocument.FindAuthenticator(bytes), cancellationToken) is { } fault
            ? throw new NotRestorableException(fault)
            : (document, ProvenDocument.HashIn(bytes));
    }

    /// <summary>Proves a document of whatever kind.</summary>
    /// <exception cref="ObjectNotFoundException">The store said that it is absent.</exception>
    /// <exception cref="NotRestorableException">It is damaged.</exception>
    public Task<JsonElement> RequireSoundAsync(ObjectKey key, CancellationToken cancellationToken) =>
        ReadAsync(key, BackupJson.Default.JsonElement, cancellationToken);

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

    /// <summary>
    /// A document that <see cref="ReplaceAsync"/> writes, or null when there is none that a holder of the key wrote. One that nobody authenticated, the last word of
    /// an agent from before encryption, is as good as none: it says no more than its removal would, and the next write puts it right.
    /// </summary>
    /// <exception cref="NotRestorableException">It is damaged.</exception>
    public async Task<T?> FindRegisterAsync<T>(ObjectKey key, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            var (document, bytes) = await ReadProvenAsync(key, type, cancellationToken);
            var authenticator = ProvenDocument.FindAuthenticator(bytes);
            var fault = await Trust.FindFaultAsync(key, bytes, authenticator, cancellationToken);
            return fault is null ? document : authenticator is null ? null : throw new NotRestorableException(fault);
        }
        catch (ObjectNotFoundException)
        {
            return null;
        }
    }

    private async Task<(T Document, byte[] Bytes)> ReadProvenAsync<T>(ObjectKey key, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        var bytes = await store.ReadAllAsync(key, cancellationToken);
        try
        {
            return (ProvenDocument.Read(bytes, type), bytes);
        }
        catch (JsonException)
        {
            throw new NotRestorableException($"The object '{key}' in {store.Description} is damaged: it is not the JSON document that was written.");
        }
    }
}
