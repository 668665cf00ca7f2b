using System.Text.Json;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>Which keys the repository was written with: the folder <c>keys/</c>. They lie there, and not in <c>repository.json</c>, because that is never changed.</summary>
internal sealed class KeyRegister(IObjectStore store, Keyring keys)
{
    /// <summary>The ids of all keys that were ever written with.</summary>
    public async Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken)
    {
        var ids = new List<string>();
        await foreach (var entry in store.ListAsync(KeyDocument.Folder, null, cancellationToken))
        {
            if (KeyDocument.TryParseName(entry.Key) is { } id)
            {
                ids.Add(id);
            }
        }

        return ids;
    }

    /// <summary>A configured key's document; null when the key was never written with.</summary>
    /// <exception cref="NotRestorableException">It is damaged, or another key made it.</exception>
    public async Task<KeyDocument?> FindAsync(RepositoryKey key, CancellationToken cancellationToken)
    {
        var name = KeyDocument.Name(key.Id);
        byte[] bytes;
        try
        {
            bytes = await store.ReadAllAsync(name, cancellationToken);
        }
        catch (ObjectNotFoundException)
        {
            return null;
        }

        try
        {
            var document = ProvenDocument.Read(bytes, KeyJson.Default.KeyDocument);
            return document.KeyId == key.Id && document.Check == key.Check && ProvenDocument.FindAuthenticator(bytes) is { } found && IsBy(key, found, name, bytes)
                ? document
                : throw new NotRestorableException(
                    $"'{name}' in {store.Description} was not written by a holder of key {key.Id}: its check value is another. Check Repository:Encryption:Key.");
        }
        catch (JsonException)
        {
            throw new NotRestorableException($"The object '{name}' in {store.Description} is damaged: it is not the JSON document that was written.");
        }
    }

    /// <summary>Does the authenticator prove that a holder of the key wrote this under this name?</summary>
    public static bool IsBy(RepositoryKey key, Authenticator authenticator, ObjectKey name, ReadOnlySpan<byte> document) =>
        authenticator.KeyId == key.Id
        && authenticator.Mac == Convert.ToHexStringLower(key.Authenticate(name, document[..authenticator.AuthenticatedBytes]));

    /// <summary>Why the configured keys are not those of this repository, or null when one of them is, or none was ever used.</summary>
    public async Task<string?> FindStrangenessAsync(CancellationToken cancellationToken)
    {
        var used = await ListAsync(cancellationToken);
        return used.Count == 0 || used.Any(id => keys.Find(id) is not null)
            ? null
            : keys.Missing($"The repository in {store.Description} is encrypted", string.Join(", ", used));
    }
}
