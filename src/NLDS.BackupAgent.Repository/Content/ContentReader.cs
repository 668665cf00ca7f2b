using System.IO.Compression;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// The way out: ranged reads → SHA-256 of what is stored → decryption → decompression → SHA-256 of the content. The last read, the one that returns 0, throws unless lengths
/// and hashes are the manifest's; until then nobody may rely on what was read.
/// </summary>
internal sealed class ContentReader : ReadOnlyStream
{
    private readonly BackupObject expected;
    private readonly PrefetchingStream stored;
    private readonly HashingStream content;
    private readonly RepositoryKey? key;
    private readonly bool provesContent;
    private readonly bool isStoredAsItIs;
    private bool proved;

    public ContentReader(IObjectStore store, BackupObject expected, ContentProof proof, int parallel, Keyring keys)
    {
        if (!Codecs.TryParse(expected.Codec, out var codec))
        {
            throw new NotRestorableException(
                $"The object '{expected.Key}' is compressed with '{expected.Codec}', which this version does not know. Use a newer version.");
        }

        this.expected = expected;
        key = expected.KeyId is { } keyId ? keys.Require(keyId, expected.Key) : null;
        provesContent = proof == ContentProof.StoredAndContent;
        isStoredAsItIs = codec == Codec.None && key is null;
        var name = new ObjectKey(expected.Key);
        stored = new PrefetchingStream(store, name, expected.StoredBytes, parallel);
        content = new HashingStream(Decode(codec, key is null ? stored : new DecryptingStream(stored, keys, name)), hashes: provesContent && !isStoredAsItIs);
    }

    public static Stream Decode(Codec codec, Stream stored) => codec switch
    {
        Codec.Zstd => new ZstdDecodingStream(stored),
        Codec.Gzip => new GZipStream(stored, CompressionMode.Decompress),
        _ => stored,
    };

    /// <summary>Stored bytes read so far.</summary>
    public long StoredBytes => stored.Bytes;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var count = await content.ReadAsync(buffer, cancellationToken);
            if (content.Bytes > expected.ContentBytes)
            {
                throw Damaged($"it holds more than the {expected.ContentBytes} bytes that its manifest says");
            }

            if (count == 0 && !buffer.IsEmpty && !proved)
            {
                await ProveAsync(cancellationToken);
                proved = true;
            }

            return count;
        }
        catch (InvalidDataException damage)
        {
            throw Damaged(damage.Message);
        }
        catch (EndOfStreamException)
        {
            throw Damaged($"it is shorter than the {expected.StoredBytes} bytes that its manifest says");
        }
        catch (ObjectNotFoundException)
        {
            throw new NotRestorableException($"The object '{expected.Key}' is missing from the repository.");
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            content.Dispose();
            stored.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task ProveAsync(CancellationToken cancellationToken)
    {
        await stored.DrainAsync(cancellationToken);
        if (stored.Bytes != expected.StoredBytes || Convert.ToHexStringLower(stored.Hash()) != expected.StoredSha256)
        {
            throw Damaged("its bytes do not have the SHA-256 that its manifest says");
        }

        if (content.Bytes != expected.ContentBytes || (provesContent && !IsExpectedContent(isStoredAsItIs ? stored.Hash() : content.Hash())))
        {
            throw Damaged("its content does not have the length and SHA-256 that its manifest says");
        }
    }

    private bool IsExpectedContent(byte[] sha256) =>
        key is null ? Convert.ToHexStringLower(sha256) == expected.ContentSha256 : key.Fingerprint(sha256) == expected.ContentHmac;

    private NotRestorableException Damaged(string what) => new($"The object '{expected.Key}' is damaged: {what}.");
}

/// <summary>Counts and hashes what is read through it.</summary>
internal sealed class HashingStream(Stream inner, bool hashes) : ReadOnlyStream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public long Bytes { get; private set; }

    public string Sha256() => Convert.ToHexStringLower(Hash());

    public byte[] Hash() => hash.GetCurrentHash();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken);
        if (hashes)
        {
            hash.AppendData(buffer.Span[..count]);
        }

        Bytes += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            hash.Dispose();
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
