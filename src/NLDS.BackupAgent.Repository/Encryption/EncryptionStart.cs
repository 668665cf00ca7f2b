using System.Collections.Concurrent;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// What a writer does before it writes: makes sure that it has the repository's key, and when its key is new here, leaves <c>keys/KEYID.json</c>, which vouches for
/// the documents that are there already. After that an unencrypted writer is refused, so that no setting that got lost makes backups readable.
/// </summary>
internal sealed class EncryptionStart(IObjectStore store, Keyring keys, DocumentStore documents, TimeProvider clock)
{
    /// <summary>Small objects, read once in a repository's life; a few at a time hide the store's latency.</summary>
    private const int ParallelReads = 8;

    private readonly KeyRegister register = new(store, keys);
    private bool begun;

    /// <exception cref="SourceException">The keys that are configured are not those of the repository.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (begun)
        {
            return;
        }

        if (keys.Writing is not { } key)
        {
            // Looked at each time: encryption may have been turned on beside this process.
            await RequireKnownKeyAsync(cancellationToken);
            return;
        }

        if (await register.FindAsync(key, cancellationToken) is null)
        {
            await RequireKnownKeyAsync(cancellationToken);
            var vouched = await VouchAsync(cancellationToken);
            var document = new KeyDocument(key.Id, key.Check, clock.GetUtcNow(), vouched);
            if (!await documents.PutAsync(KeyDocument.Name(key.Id), document, KeyJson.Default.KeyDocument, Protection.Locked, cancellationToken))
            {
                // Another agent was first; what it vouches for counts.
                _ = await register.FindAsync(key, cancellationToken);
            }
        }

        begun = true;
    }

    private async Task RequireKnownKeyAsync(CancellationToken cancellationToken)
    {
        if (await register.FindStrangenessAsync(cancellationToken) is { } strange)
        {
            throw new SourceException(
                keys.Writing is null
                    ? $"{strange} Nothing is written without it; a repository that is not to be encrypted needs another Storage path or prefix."
                    : $"{strange} A new key goes before the old one, which stays.",
                isPermanent: true);
        }
    }

    private async Task<SortedDictionary<string, string>> VouchAsync(CancellationToken cancellationToken)
    {
        var isFirstKey = (await register.ListAsync(cancellationToken)).Count == 0;
        var vouched = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(
            DocumentsAsync(cancellationToken),
            new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken },
            async (name, token) =>
            {
                if (await HashIfGoodAsync(name, isFirstKey, token) is { } sha256)
                {
                    vouched[name.Value] = sha256;
                }
            });
        return new SortedDictionary<string, string>(vouched, StringComparer.Ordinal);
    }

    private async IAsyncEnumerable<ObjectKey> DocumentsAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var entry in store.ListAsync("", null, cancellationToken))
        {
            if (!entry.Key.Value.StartsWith(KeyDocument.Folder, StringComparison.Ordinal) && DocumentStore.IsDocument(entry.Key))
            {
                yield return entry.Key;
            }
        }
    }

    /// <summary>Of the first key everything is good that nobody authenticated; of a later one what the keys before it make good.</summary>
    private async Task<string?> HashIfGoodAsync(ObjectKey name, bool isFirstKey, CancellationToken cancellationToken)
    {
        byte[] document;
        try
        {
            document = await store.ReadAllAsync(name, cancellationToken);
        }
        catch (ObjectNotFoundException)
        {
            // Removed since it was listed.
            return null;
        }

        var authenticator = DocumentStore.FindAuthenticator(name, document);
        var isGood = isFirstKey
            ? authenticator is null
            : await documents.Trust.FindFaultAsync(name, document, authenticator, cancellationToken) is null;
        return isGood ? Convert.ToHexStringLower(SHA256.HashData(document)) : null;
    }
}
