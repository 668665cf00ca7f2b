using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>What can happen to a repository's objects.</summary>
internal static class StoreDamage
{
    public static async Task<byte[]> ReadAsync(this IObjectStore store, ObjectKey key)
    {
        await using var source = await store.OpenReadAsync(key, 0, null, CancellationToken.None);
        using var content = new MemoryStream();
        await source.CopyToAsync(content);
        return content.ToArray();
    }

    public static async Task<List<ObjectInfo>> ListAsync(this IObjectStore store, string prefix)
    {
        var found = new List<ObjectInfo>();
        await foreach (var entry in store.ListAsync(prefix, null, CancellationToken.None))
        {
            found.Add(entry);
        }

        return found;
    }

    public static async Task FlipAsync(this IObjectStore store, ObjectKey key)
    {
        var content = await store.ReadAsync(key);
        content[content.Length / 2] ^= 0x40;
        await store.ReplaceAsync(key, content, CancellationToken.None);
    }

    public static async Task TruncateAsync(this IObjectStore store, ObjectKey key) =>
        await store.ReplaceAsync(key, (await store.ReadAsync(key)).AsMemory()[..^1], CancellationToken.None);

    public static Task RemoveAsync(this IObjectStore store, ObjectKey key) => store.DeleteAsync([key], CancellationToken.None);
}
