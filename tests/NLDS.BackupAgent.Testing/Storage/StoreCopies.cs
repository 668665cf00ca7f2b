using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Testing.Storage;

public static class StoreCopies
{
    /// <summary>A store of its own with the same objects, which are as old as they are there.</summary>
    public static async Task<MemoryObjectStore> CopyAsync(this IObjectStore original, TimeProvider? clock = null)
    {
        var past = new PastClock(clock ?? TimeProvider.System);
        var copy = new MemoryObjectStore(past);
        List<ObjectInfo> all = [];
        await foreach (var info in original.ListAsync("", null, CancellationToken.None))
        {
            all.Add(info);
        }

        foreach (var info in all.OrderBy(info => info.LastModified))
        {
            past.Moment = info.LastModified;
            await copy.PutIfAbsentAsync(info.Key, await original.ReadWholeAsync(info.Key), CancellationToken.None);
        }

        past.Moment = null;
        return copy;
    }

    /// <summary>All of an object that is small enough for that.</summary>
    public static async Task<byte[]> ReadWholeAsync(this IObjectStore store, ObjectKey key)
    {
        using var content = new MemoryStream();
        await using var source = await store.OpenReadAsync(key, 0, null, CancellationToken.None);
        await source.CopyToAsync(content);
        return content.ToArray();
    }

    private sealed class PastClock(TimeProvider clock) : TimeProvider
    {
        public DateTimeOffset? Moment { get; set; }

        public override DateTimeOffset GetUtcNow() => Moment ?? clock.GetUtcNow();
    }
}
