using System.Buffers;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// One object of a backup on its way in: content is measured, compressed, encrypted, measured again and uploaded while it is still arriving. While a block is
/// compressed on the caller's thread, it is hashed on another, and what the blocks before it became is encrypted, hashed and handed to the store on a third.
/// What is stored as it came is hashed once.
/// Disposing without <see cref="SealAsync"/> abandons it.
/// </summary>
public sealed class ContentWriter : IAsyncDisposable
{
    /// <summary>Handing a block to another thread costs microseconds; a block this long takes hundreds to hash.</summary>
    private const int BlockBytes = 512 << 10;

    /// <summary>The same for what is stored: so much is worth a thread.</summary>
    private const int EncodedBytes = 64 << 10;

    private readonly IObjectStore store;
    private readonly string name;
    private readonly Codec codec;
    private readonly RepositoryKey? key;
    private readonly bool isStoredAsItIs;
    private readonly StoredWriter stored;
    private readonly ContentEncoder encoder;
    private readonly IncrementalHash contentHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private ArrayBufferWriter<byte> encoded = new(256 << 10);
    private ArrayBufferWriter<byte> storing = new();
    private byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
    private byte[] hashedBlock = ArrayPool<byte>.Shared.Rent(BlockBytes);
    private Task hashed = Task.CompletedTask;
    private Task handedOn = Task.CompletedTask;
    private int filled;

    internal ContentWriter(IObjectStore store, string name, ObjectKey place, Codec codec, int level, int workers, RepositoryKey? key)
    {
        this.store = store;
        this.name = name;
        this.codec = codec;
        this.key = key;
        isStoredAsItIs = codec == Codec.None && key is null;
        stored = new StoredWriter(new ObjectWriter(store, place, protection: Protection.Locked), key, hashes: !isStoredAsItIs);
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
        await HandOnAsync(cancellationToken);
        await handedOn;
        await hashed;
        var (bytes, storedSha256) = await stored.EndAsync(cancellationToken);
        var contentSha256 = contentHash.GetCurrentHash();
        var content = new BackupObject
        {
            Name = name,
            Key = stored.Key.Value,
            Codec = codec.Word(),
            ContentBytes = ContentBytes,
            ContentSha256 = key is null ? Convert.ToHexStringLower(contentSha256) : null,
            ContentHmac = key?.Fingerprint(contentSha256),
            KeyId = key?.Id,
            StoredBytes = bytes,
            StoredSha256 = isStoredAsItIs ? Convert.ToHexStringLower(contentSha256) : storedSha256,
        };
        if (!await stored.SealAsync(default, cancellationToken) && !await IsStoredAsync(content, cancellationToken))
        {
            throw new ObjectStoreException($"The object '{stored.Key}' exists already; it was left as it is.", isPermanent: true);
        }

        return content;
    }

    public async ValueTask DisposeAsync()
    {
        await hashed.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await handedOn.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Recycle(ref block);
        Recycle(ref hashedBlock);
        encoder.Dispose();
        contentHash.Dispose();
        await stored.DisposeAsync();
    }

    private async ValueTask EndBlockAsync(CancellationToken cancellationToken)
    {
        await hashed;
        (block, hashedBlock) = (hashedBlock, block);
        var (bytes, count) = (hashedBlock, filled);
        filled = 0;
        hashed = Task.Run(() => contentHash.AppendData(bytes, 0, count), CancellationToken.None);
        encoder.Write(bytes.AsSpan(0, count), encoded);
        if (encoded.WrittenCount >= EncodedBytes)
        {
            await HandOnAsync(cancellationToken);
        }
    }

    /// <summary>Gives what was encoded to the store's side; waits only while that still has what it was given before.</summary>
    private async ValueTask HandOnAsync(CancellationToken cancellationToken)
    {
        await handedOn;
        (encoded, storing) = (storing, encoded);
        encoded.ResetWrittenCount();
        var bytes = storing.WrittenMemory;
        handedOn = Task.Run(async () => await stored.WriteAsync(bytes, cancellationToken), CancellationToken.None);
    }

    /// <summary>
    /// A put whose answer was lost and that was tried again finds its own object. Reading it all is what it takes to know, and hours of work may hang on it.
    /// </summary>
    private async Task<bool> IsStoredAsync(BackupObject content, CancellationToken cancellationToken)
    {
        await using var existing = new HashingStream(await store.OpenReadAsync(stored.Key, 0, null, cancellationToken), hashes: true);
        await existing.DrainAsync(cancellationToken);
        return existing.Bytes == content.StoredBytes && existing.Sha256() == content.StoredSha256;
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
