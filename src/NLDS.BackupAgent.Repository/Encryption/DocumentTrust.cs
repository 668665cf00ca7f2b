using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// Whether a document was written by somebody who holds the key. With a key configured only two kinds of document are believed: those that a configured key
/// authenticates, and those that were there when a configured key was first used, for which that key vouches. Whoever can write to the store and has no key can
/// therefore add none, whatever times he writes into it. Without a key every document that is whole is believed.
/// </summary>
internal sealed class DocumentTrust(IObjectStore store, Keyring keys)
{
    private readonly KeyRegister register = new(store, keys);
    private volatile IReadOnlyDictionary<string, string> vouched = new Dictionary<string, string>();

    /// <summary>The key that authenticates what is written; null for none.</summary>
    public RepositoryKey? Writing => keys.Writing;

    /// <summary>Why a document is not believed, in a sentence; null when it is.</summary>
    public async Task<string?> FindFaultAsync(ObjectKey name, ReadOnlyMemory<byte> document, Authenticator? authenticator, CancellationToken cancellationToken)
    {
        if (keys.Writing is null)
        {
            return null;
        }

        if (authenticator is not null && keys.Find(authenticator.KeyId) is { } key)
        {
            return KeyRegister.IsBy(key, authenticator, name, document.Span)
                ? null
                : $"The object '{name}' in {store.Description} was not written by a holder of key {key.Id}, although it says so.";
        }

        if (await IsVouchedAsync(name, document, cancellationToken))
        {
            return null;
        }

        if (authenticator is not null)
        {
            return keys.Missing($"The object '{name}' in {store.Description} was written", authenticator.KeyId);
        }

        return await register.FindStrangenessAsync(cancellationToken)
            ?? ((await register.ListAsync(cancellationToken)).Count == 0
                ? $"A key is configured, but nothing in {store.Description} was ever written with one. The first 'run' or 'backup' with the key turns encryption on; "
                    + "to read what is there already, leave out Repository:Encryption."
                : $"The object '{name}' in {store.Description} was not written by a holder of the key, and it was not there when encryption was turned on.");
    }

    private async Task<bool> IsVouchedAsync(ObjectKey name, ReadOnlyMemory<byte> document, CancellationToken cancellationToken)
    {
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(document.Span));
        if (vouched.GetValueOrDefault(name.Value) == sha256)
        {
            return true;
        }

        // Read again each time: what is not vouched for is an exception, and a key may have come into use since.
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var key in keys.All)
        {
            foreach (var (vouchedName, hash) in (await register.FindAsync(key, cancellationToken))?.Vouched ?? new Dictionary<string, string>())
            {
                found.TryAdd(vouchedName, hash);
            }
        }

        vouched = found;
        return found.GetValueOrDefault(name.Value) == sha256;
    }
}
