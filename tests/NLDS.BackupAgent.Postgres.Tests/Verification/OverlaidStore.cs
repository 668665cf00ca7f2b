using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Verification;

/// <summary>A store that takes every change for itself and leaves the one below as it is, so that a hundred tests can damage one repository.</summary>
internal sealed class OverlaidStore(IObjectStore below, Func<ObjectKey, bool> shows) : IObjectStore
{
    private readonly MemoryObjectStore changed = new();
    private readonly HashSet<ObjectKey> hidden = [];

    public string Description => below.Description;

    public async Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (await HeadAsync(key, cancellationToken) is not null)
        {
            return false;
        }

        await ReplaceAsync(key, content, cancellationToken);
        return true;
    }

    public async Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await changed.ReplaceAsync(key, content, cancellationToken);
        hidden.Add(key);
    }

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => changed.BeginUploadAsync(key, cancellationToken);

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) =>
        await (await Place(key, cancellationToken)).OpenReadAsync(key, offset, length, cancellationToken);

    public async Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        await (await Place(key, cancellationToken)).HeadAsync(key, cancellationToken);

    public async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var found = new SortedDictionary<ObjectKey, ObjectInfo>();
        await foreach (var entry in below.ListAsync(prefix, startAfter, cancellationToken))
        {
            if (IsBelow(entry.Key))
            {
                found[entry.Key] = entry;
            }
        }

        await foreach (var entry in changed.ListAsync(prefix, startAfter, cancellationToken))
        {
            found[entry.Key] = entry;
        }

        foreach (var entry in found.Values)
        {
            yield return entry;
        }
    }

    public async Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        hidden.UnionWith(keys);
        await changed.DeleteAsync(keys, cancellationToken);
    }

    private bool IsBelow(ObjectKey key) => shows(key) && !hidden.Contains(key);

    private async Task<IObjectStore> Place(ObjectKey key, CancellationToken cancellationToken) =>
        IsBelow(key) && await changed.HeadAsync(key, cancellationToken) is null ? below : changed;
}
