using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// A log piece's seal as the last bytes of an encrypted object, so that one small ranged read of its end gets it: a nonce (12), the seal's JSON under
/// AES-256-GCM with the piece's name as associated data, the tag (16), the id of the repository key (8), the length of these four (u32, little-endian), their
/// CRC-32C (u32, little-endian) and <c>NLDSBOX1</c>.
/// </summary>
internal static class SealBox
{
    private const int Around = RepositoryKey.NonceBytes + RepositoryKey.TagBytes + RepositoryKey.IdBytes;
    private const int FooterBytes = 16;

    private static ReadOnlySpan<byte> Magic => "NLDSBOX1"u8;

    public static byte[] Write(LogSeal seal, RepositoryKey key, ObjectKey name) => Write(
        JsonSerializer.SerializeToUtf8Bytes(seal, LogJson.Default.LogSeal), key, name, RandomNumberGenerator.GetBytes(RepositoryKey.NonceBytes));

    /// <summary>With a chosen nonce, for the format's test vector alone.</summary>
    internal static byte[] Write(ReadOnlySpan<byte> json, RepositoryKey key, ObjectKey name, ReadOnlySpan<byte> nonce)
    {
        var box = new byte[Around + json.Length + FooterBytes];
        var boxed = box.AsSpan(0, Around + json.Length);
        nonce.CopyTo(boxed);
        using (var sealing = key.Sealing())
        {
            var ciphertext = boxed[RepositoryKey.NonceBytes..];
            sealing.Encrypt(
                nonce, json, ciphertext[..json.Length], ciphertext.Slice(json.Length, RepositoryKey.TagBytes), Encoding.UTF8.GetBytes(name.Value));
        }

        key.IdSpan.CopyTo(boxed[^RepositoryKey.IdBytes..]);
        var footer = box.AsSpan(boxed.Length);
        BinaryPrimitives.WriteInt32LittleEndian(footer, boxed.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(footer[4..], Crc32C.Compute(boxed));
        Magic.CopyTo(footer[8..]);
        return box;
    }

    /// <summary>Reads the seal at the end of <paramref name="tail"/>, the object's last bytes; null when there is no sound one.</summary>
    /// <param name="boxBytes">How many of the object's bytes the box takes.</param>
    /// <exception cref="Sources.NotRestorableException">Its key is not configured.</exception>
    public static LogSeal? Read(ReadOnlySpan<byte> tail, Keyring keys, ObjectKey name, out int boxBytes)
    {
        boxBytes = 0;
        if (tail.Length < Around + FooterBytes || !tail.EndsWith(Magic))
        {
            return null;
        }

        var footer = tail[^FooterBytes..];
        var length = BinaryPrimitives.ReadUInt32LittleEndian(footer);
        if (length < Around || length > SealFrame.MaximumBytes || length + FooterBytes > tail.Length)
        {
            return null;
        }

        boxBytes = (int)length + FooterBytes;
        var boxed = tail[^boxBytes..^FooterBytes];

        // What was damaged by accident is told from what takes another key.
        if (Crc32C.Compute(boxed) != BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]))
        {
            return null;
        }

        var key = keys.Require(Convert.ToHexStringLower(boxed[^RepositoryKey.IdBytes..]), name.Value);
        var json = new byte[boxed.Length - Around];
        var ciphertext = boxed[RepositoryKey.NonceBytes..];
        using var sealing = key.Sealing();
        try
        {
            sealing.Decrypt(
                boxed[..RepositoryKey.NonceBytes],
                ciphertext[..json.Length],
                ciphertext.Slice(json.Length, RepositoryKey.TagBytes),
                json,
                Encoding.UTF8.GetBytes(name.Value));
            return JsonSerializer.Deserialize(json, LogJson.Default.LogSeal);
        }
        catch (Exception damage) when (damage is AuthenticationTagMismatchException or JsonException)
        {
            return null;
        }
    }
}
