using System.Buffers;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// One object of a backup on its way in: content is measured, compressed, measured again and uploaded while it is still arriving. A block is hashed on another
/// thread while it is compressed on the caller's. Disposing without <see cref="SealAsync"/> abandons it.
/// </summary>
public sealed class ContentWriter : IAsyncDisposable
{
    /// <summary>Handing a block to another thread costs microseconds; a block this long takes hundreds to hash.</summary>
    private const int BlockBytes = 512 << 10;

    private readonly IObjectStore store;
    private readonly string name;
    private readonly Codec codec;
    private readonly ObjectWriter writer;
    private readonly ContentEncoder encoder;
    private readonly ArrayBufferWriter<byte> encoded = new(256 << 10);
    private readonly IncrementalHash contentHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash storedHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
    private byte[] hashedBlock = ArrayPool<byte>.Shared.Rent(BlockBytes);
    private Task hashing = Task.CompletedTask;
    private int filled;

    internal ContentWriter(IObjectStore store, string name, ObjectKey key, Codec codec, int level, int workers)
    {
        this.store = store;
        this.name = name;
        this.codec = codec;
        writer = new ObjectWriter(store, key, protection: Protection.Locked);
        encoder = ContentEncoder.Create(codec, level, workers);
    }

    /// <summary>Content bytes written so far.</summary>
    public long ContentBytes { get; private set; }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        ContentBytes += content.Length;
        while (!content.IsEmpty)
        {
            var count = Math.Min(content.Length, BlockBytes - filled);
            content[..count].CopyTo(block.AsMemory(filled));
            filled += count;
            content = content[count..];
            if (filled == BlockBytes)
            {
                await EndBlockAsync(cancellationToken);
            }
        }
    }

    /// <summary>Makes the object durable.</summary>
    /// <exception cref="ObjectStoreException">Another object has its name; nothing there was changed.</exception>
    public async Task<BackupObject> SealAsync(CancellationToken cancellationToken)
    {
        await EndBlockAsync(cancellationToken);
        encoder.End(encoded);
        await DrainAsync(cancellationToken);
        await hashing;
        var content = new BackupObject
        {
            Name = name,
            Key = writer.Key.Value,
            Codec = codec.Word(),
            ContentBytes = ContentBytes,
            ContentSha256 = Convert.ToHexStringLower(contentHash.GetCurrentHash()),
            StoredBytes = writer.Length,
            StoredSha256 = Convert.ToHexStringLower(storedHash.GetCurrentHash()),
        };
        if (!await writer.SealAsync(cancellationToken) && !await IsStoredAsync(content, cancellationToken))
        {
            throw new ObjectStoreException($"The object '{writer.Key}' exists already; it was left as it is.", isPermanent: true);
        }

        return content;
    }

    public async ValueTask DisposeAsync()
    {
        await hashing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Recycle(ref block);
        Recycle(ref hashedBlock);
        encoder.Dispose();
        contentHash.Dispose();
        storedHash.Dispose();
        await writer.DisposeAsync();
    }

    private async ValueTask EndBlockAsync(CancellationToken cancellationToken)
    {
        await hashing;
        (block, hashedBlock) = (hashedBlock, block);
        var (bytes, count) = (hashedBlock, filled);
        filled = 0;
        hashing = Task.Run(() => contentHash.AppendData(bytes, 0, count), CancellationToken.None);
        encoder.Write(bytes.AsSpan(0, count), encoded);
        if (encoded.WrittenCount >= 64 << 10)
        {
            await DrainAsync(cancellationToken);
        }
    }

    /// <summary>
    /// A put whose answer was lost and that was tried again finds its own object. Reading it all is what it takes to know, and hours of work may hang on it.
    /// </summary>
    private async Task<bool> IsStoredAsync(BackupObject content, CancellationToken cancellationToken)
    {
        await using var existing = new HashingStream(await store.OpenReadAsync(writer.Key, 0, null, cancellationToken), hashes: true);
        await existing.DrainAsync(cancellationToken);
        return existing.Bytes == content.StoredBytes && existing.Sha256() == content.StoredSha256;
    }

    private async ValueTask DrainAsync(CancellationToken cancellationToken)
    {
        storedHash.AppendData(encoded.WrittenSpan);
        await writer.WriteAsync(encoded.WrittenMemory, cancellationToken);
        encoded.ResetWrittenCount();
    }

    private static void Recycle(ref byte[] rented)
    {
        if (rented.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        rented = [];
    }
}
