using System.Runtime.CompilerServices;

namespace NLDS.BackupAgent.Storage;

/// <summary>
/// Objects in this process's memory, for tests and for what is small and passing. The one store whose objects do not outlive the process.
/// </summary>
/// <param name="retainFor">How long what is put as <see cref="Protection.Locked"/> cannot be deleted; not at all when null.</param>
public sealed class MemoryObjectStore(TimeProvider? time = null, TimeSpan? retainFor = null) : IObjectStore
{
    /// <summary>A page of a listing: what is listed may change between two pages, as in every store.</summary>
    private const int PageSize = 1_000;

    private readonly TimeProvider time = time ?? TimeProvider.System;
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, Entry> objects = new(StringComparer.Ordinal);

    public string Description => "memory";

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, Protection.None, cancellationToken);

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(TryAdd(key, content.ToArray(), protection));
    }

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var entry = new Entry(content.ToArray(), time.GetUtcNow(), LockedUntil: null);
        lock (gate)
        {
            objects[key.Value] = entry;
        }

        return Task.CompletedTask;
    }

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        BeginUploadAsync(key, Protection.None, cancellationToken);

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IObjectUpload>(new Upload(this, key, protection));
    }

    public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length ?? 0, nameof(length));
        cancellationToken.ThrowIfCancellationRequested();
        var content = Find(key)?.Content ?? throw new ObjectNotFoundException(key, Description);
        var start = (int)Math.Min(offset, content.Length);
        var count = (int)Math.Min(length ?? content.Length, content.Length - start);
        return Task.FromResult<Stream>(new MemoryStream(content, start, count, writable: false));
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(Find(key) is { } entry ? new ObjectInfo(key, entry.Content.Length, entry.Appeared) : (ObjectInfo?)null);
    }

    public async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var after = startAfter?.Value ?? ""; ;)
        {
            var page = Page(prefix, after);
            foreach (var info in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return info;
            }

            if (page.Count < PageSize)
            {
                yield break;
            }

            after = page[^1].Key.Value;
            await Task.Yield();
        }
    }

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<LockedObject> locked = [];
        lock (gate)
        {
            foreach (var key in keys)
            {
                if (objects.GetValueOrDefault(key.Value)?.LockedUntil is { } until && until > time.GetUtcNow())
                {
                    locked.Add(new LockedObject(key, until));
                }
                else
                {
                    objects.Remove(key.Value);
                }
            }
        }

        return locked.Count == 0 ? Task.CompletedTask : throw ObjectStoreException.KeptByLocks(Description, locked, keys.Count);
    }

    private bool TryAdd(ObjectKey key, byte[] content, Protection protection)
    {
        var now = time.GetUtcNow();
        var entry = new Entry(content, now, protection == Protection.Locked ? now + retainFor : null);
        lock (gate)
        {
            return objects.TryAdd(key.Value, entry);
        }
    }

    private Entry? Find(ObjectKey key)
    {
        lock (gate)
        {
            return objects.GetValueOrDefault(key.Value);
        }
    }

    private List<ObjectInfo> Page(string prefix, string after)
    {
        lock (gate)
        {
            return [.. objects
                .Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(pair.Key, after) > 0)
                .Take(PageSize)
                .Select(pair => new ObjectInfo(new ObjectKey(pair.Key), pair.Value.Content.Length, pair.Value.Appeared))];
        }
    }

    private sealed record Entry(byte[] Content, DateTimeOffset Appeared, DateTimeOffset? LockedUntil);

    private sealed class Upload(MemoryObjectStore store, ObjectKey key, Protection protection) : IObjectUpload
    {
        private readonly UploadParts parts = new(key);
        private readonly Dictionary<int, byte[]> contents = [];
        private bool completed;

        public ObjectKey Key => key;

        public Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            UploadParts.Check(number, offset, content);
            cancellationToken.ThrowIfCancellationRequested();
            lock (contents)
            {
                contents[number] = content.ToArray();
            }

            parts.Record(new UploadParts.Part(number, offset, content.Length, Tag: ""));
            return Task.CompletedTask;
        }

        public Task<bool> CompleteAsync(CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var whole = parts.Whole();
            lock (contents)
            {
                var content = new byte[whole.Sum(part => (long)part.Bytes)];
                foreach (var part in whole)
                {
                    contents[part.Number].CopyTo(content, part.Offset);
                }

                completed = completed || store.TryAdd(key, content, protection);
                return Task.FromResult(completed);
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
