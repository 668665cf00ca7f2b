using System.Buffers;
using System.Security.Cryptography;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// Encrypts one object as it is pushed in; what comes out is the object. Holds one frame, because only at the end is it known which frame is the last.
/// For one caller at a time.
/// </summary>
internal sealed class ObjectEncryptor : IDisposable
{
    private const int FrameBytes = ObjectHeader.DefaultFrameBytes;

    private readonly FrameCipher cipher;
    private readonly byte[] header;
    private byte[] frame = ArrayPool<byte>.Shared.Rent(FrameBytes);
    private int filled;
    private bool begun;

    public ObjectEncryptor(RepositoryKey key, ObjectKey name)
        : this(key, name, RandomNumberGenerator.GetBytes(RepositoryKey.Bytes), RandomNumberGenerator.GetBytes(RepositoryKey.NonceBytes))
    {
    }

    /// <summary>With a chosen key and nonce, for the format's test vector alone.</summary>
    internal ObjectEncryptor(RepositoryKey key, ObjectKey name, byte[] dataKey, byte[] nonce)
    {
        KeyId = key.Id;
        header = ObjectHeader.Write(key, name, dataKey, nonce);
        cipher = new FrameCipher(dataKey);
    }

    /// <summary>Which repository key the object takes.</summary>
    public string KeyId { get; }

    /// <summary>How long the object of so much content is at most.</summary>
    public static int BytesFor(int contentBytes) => ObjectHeader.Bytes + contentBytes + (((contentBytes / FrameBytes) + 1) * RepositoryKey.TagBytes);

    /// <summary>A whole small object.</summary>
    public static void Encrypt(RepositoryKey key, ObjectKey name, ReadOnlySpan<byte> content, IBufferWriter<byte> stored)
    {
        using var encryptor = new ObjectEncryptor(key, name);
        encryptor.Write(content, stored);
        encryptor.End(stored);
    }

    public void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> stored)
    {
        Begin(stored);
        while (filled + content.Length > FrameBytes)
        {
            // More follows than this frame holds, so it is not the last.
            if (filled == 0)
            {
                Put(content[..FrameBytes], isLast: false, stored);
                content = content[FrameBytes..];
                continue;
            }

            var count = FrameBytes - filled;
            content[..count].CopyTo(frame.AsSpan(filled));
            content = content[count..];
            Put(frame.AsSpan(0, FrameBytes), isLast: false, stored);
            filled = 0;
        }

        content.CopyTo(frame.AsSpan(filled));
        filled += content.Length;
    }

    /// <summary>Writes the last frame, without which the object does not open.</summary>
    public void End(IBufferWriter<byte> stored)
    {
        Begin(stored);
        Put(frame.AsSpan(0, filled), isLast: true, stored);
        filled = 0;
    }

    public void Dispose()
    {
        cipher.Dispose();
        if (frame.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(frame);
            frame = [];
        }
    }

    private void Begin(IBufferWriter<byte> stored)
    {
        if (!begun)
        {
            begun = true;
            stored.Write(header);
        }
    }

    private void Put(ReadOnlySpan<byte> plaintext, bool isLast, IBufferWriter<byte> stored)
    {
        var bytes = plaintext.Length + RepositoryKey.TagBytes;
        cipher.Encrypt(plaintext, isLast, stored.GetSpan(bytes)[..bytes]);
        stored.Advance(bytes);
    }
}
