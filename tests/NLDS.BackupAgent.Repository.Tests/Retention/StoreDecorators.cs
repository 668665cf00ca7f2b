using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>A store that does what another does, but for what a test changes.</summary>
internal class StoreDecorator(IObjectStore inner) : IObjectStore
{
    public string Description => inner.Description;

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        inner.PutIfAbsentAsync(key, content, cancellationToken);

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => inner.ReplaceAsync(key, content, cancellationToken);

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.BeginUploadAsync(key, cancellationToken);

    public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(key, offset, length, cancellationToken);

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

    public virtual IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken) =>
        inner.ListAsync(prefix, startAfter, cancellationToken);

    public virtual Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => inner.DeleteAsync(keys, cancellationToken);
}

/// <summary>Lists less than there is.</summary>
internal sealed class HidingStore(IObjectStore inner, Func<ObjectKey, bool> hidden) : StoreDecorator(inner)
{
    public override async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var entry in base.ListAsync(prefix, startAfter, cancellationToken))
        {
            if (!hidden(entry.Key))
            {
                yield return entry;
            }
        }
    }
}

/// <summary>Keeps some objects for a time, as object lock does.</summary>
internal sealed class LockingStore(IObjectStore inner, Func<ObjectKey, bool> locked, DateTimeOffset until) : StoreDecorator(inner)
{
    public override async Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        await base.DeleteAsync([.. keys.Where(key => !locked(key))], cancellationToken);
        if (keys.Any(locked))
        {
            throw new ObjectStoreException("Some are locked.", isPermanent: true) { Locked = [.. keys.Where(locked).Select(key => new LockedObject(key, until))] };
        }
    }
}

/// <summary>Says that a deletion has begun.</summary>
internal sealed class TellingStore(IObjectStore inner, Action deletes) : StoreDecorator(inner)
{
    public override Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        deletes();
        return base.DeleteAsync(keys, cancellationToken);
    }
}
