using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Documents;

internal static class SmallObjects
{
    /// <summary>Documents of this program are kilobytes; what is larger is not one of them.</summary>
    private const long MaximumBytes = 64 << 20;

    /// <summary>A whole small object.</summary>
    /// <exception cref="ObjectNotFoundException">The store said that it is absent.</exception>
    public static async Task<byte[]> ReadAllAsync(this IObjectStore store, ObjectKey key, CancellationToken cancellationToken)
    {
        await using var source = await store.OpenReadAsync(key, 0, null, cancellationToken);
        using var content = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (await source.ReadAsync(buffer, cancellationToken) is var count && count > 0)
        {
            content.Write(buffer, 0, count);
            if (content.Length > MaximumBytes)
            {
                throw new ObjectStoreException($"The object '{key}' in {store.Description} is far too large for what its name says.", isPermanent: true);
            }
        }

        return content.ToArray();
    }
}
