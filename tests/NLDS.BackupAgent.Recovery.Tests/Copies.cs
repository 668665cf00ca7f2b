using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Recovery.Tests;

internal static class Copies
{
    /// <summary>A store of its own with the same objects.</summary>
    public static MemoryObjectStore Of(MemoryObjectStore original) => OfAsync(original).GetAwaiter().GetResult();

    private static async Task<MemoryObjectStore> OfAsync(MemoryObjectStore original)
    {
        var copy = new MemoryObjectStore();
        await foreach (var entry in original.ListAsync("", null, CancellationToken.None))
        {
            await using var source = await original.OpenReadAsync(entry.Key, 0, null, CancellationToken.None);
            using var content = new MemoryStream();
            await source.CopyToAsync(content);
            await copy.PutIfAbsentAsync(entry.Key, content.ToArray(), CancellationToken.None);
        }

        return copy;
    }
}
