using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// What an encrypted object begins with, 80 bytes: <c>NLDSENC1</c>, the id of the repository key (8), the frames' plaintext length (u32, little-endian), a nonce
/// (12), and the object's own random key (32 + 16), wrapped by AES-256-GCM with everything before the nonce and the object's name as associated data.
/// </summary>
/// <param name="KeyId">Which repository key it takes.</param>
/// <param name="FrameBytes">Plaintext in each frame but the last.</param>
/// <param name="Key">The object's own key.</param>
internal sealed record ObjectHeader(string KeyId, int FrameBytes, byte[] Key)
{
    public const int Bytes = NonceAt + RepositoryKey.NonceBytes + RepositoryKey.Bytes + RepositoryKey.TagBytes;

    /// <summary>The tags cost a four-thousandth, and a reader needs no more memory than two of them.</summary>
    public const int DefaultFrameBytes = 64 << 10;

    /// <summary>What a reader is ready to hold; no writer goes near it.</summary>
    private const int LargestFrameBytes = 16 << 20;

    private const int FrameBytesAt = 8 + RepositoryKey.IdBytes;
    private const int NonceAt = FrameBytesAt + sizeof(uint);

    private static ReadOnlySpan<byte> Magic => "NLDSENC1"u8;

    public static byte[] Write(RepositoryKey key, ObjectKey name, ReadOnlySpan<byte> dataKey, ReadOnlySpan<byte> nonce)
    {
        var header = new byte[Bytes];
        Magic.CopyTo(header);
        key.IdSpan.CopyTo(header.AsSpan(Magic.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(FrameBytesAt), DefaultFrameBytes);
        nonce.CopyTo(header.AsSpan(NonceAt));
        var wrapped = header.AsSpan(NonceAt + RepositoryKey.NonceBytes);
        using var wrapping = key.Wrapping();
        wrapping.Encrypt(
            nonce, dataKey, wrapped[..RepositoryKey.Bytes], wrapped[RepositoryKey.Bytes..], AssociatedData(header.AsSpan(0, NonceAt), name));
        return header;
    }

    /// <param name="header">80 bytes.</param>
    /// <exception cref="InvalidDataException">It is no such header, or not the one that was written for this object.</exception>
    /// <exception cref="Sources.NotRestorableException">Its key is not configured.</exception>
    public static ObjectHeader Read(ReadOnlySpan<byte> header, Keyring keys, ObjectKey name)
    {
        if (!header.StartsWith(Magic))
        {
            throw new InvalidDataException("it does not begin as an encrypted object does");
        }

        var key = keys.Require(Convert.ToHexStringLower(header.Slice(Magic.Length, RepositoryKey.IdBytes)), name.Value);
        var frameBytes = BinaryPrimitives.ReadUInt32LittleEndian(header[FrameBytesAt..]);
        var wrapped = header[(NonceAt + RepositoryKey.NonceBytes)..];
        var dataKey = new byte[RepositoryKey.Bytes];
        using var wrapping = key.Wrapping();
        try
        {
            wrapping.Decrypt(
                header.Slice(NonceAt, RepositoryKey.NonceBytes),
                wrapped[..RepositoryKey.Bytes],
                wrapped[RepositoryKey.Bytes..],
                dataKey,
                AssociatedData(header[..NonceAt], name));
        }
        catch (AuthenticationTagMismatchException)
        {
            throw new InvalidDataException($"its header is not the one that key {key.Id} wrote for an object of this name");
        }

        return frameBytes is > 0 and <= LargestFrameBytes
            ? new ObjectHeader(key.Id, (int)frameBytes, dataKey)
            : throw new InvalidDataException($"its frames of {frameBytes} bytes are none that this version writes");
    }

    private static byte[] AssociatedData(ReadOnlySpan<byte> before, ObjectKey name) => [.. before, .. Encoding.UTF8.GetBytes(name.Value)];
}
