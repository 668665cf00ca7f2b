using System.Buffers.Binary;
using System.Security.Cryptography;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// The frames of one object, in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
/// Misuse-Resistance", 2015): each is AES-256-GCM under the object's own key, with a nonce that says which frame it is and whether it is the last. So a frame that
/// was removed, moved, repeated or taken from another object does not open, and an object that was cut or prolonged has no last frame.
/// </summary>
internal sealed class FrameCipher(byte[] key) : IDisposable
{
    private readonly AesGcm cipher = new(key, RepositoryKey.TagBytes);
    private ulong number;

    /// <param name="plaintext">The next frame.</param>
    /// <param name="stored">The plaintext's length and 16 bytes more.</param>
    public void Encrypt(ReadOnlySpan<byte> plaintext, bool isLast, Span<byte> stored)
    {
        Span<byte> nonce = stackalloc byte[RepositoryKey.NonceBytes];
        NextNonce(nonce, isLast);
        cipher.Encrypt(nonce, plaintext, stored[..plaintext.Length], stored[plaintext.Length..]);
    }

    /// <exception cref="InvalidDataException">It is not the frame that was written here; nothing was released.</exception>
    public void Decrypt(ReadOnlySpan<byte> stored, bool isLast, Span<byte> plaintext)
    {
        Span<byte> nonce = stackalloc byte[RepositoryKey.NonceBytes];
        var frame = number;
        NextNonce(nonce, isLast);
        try
        {
            cipher.Decrypt(nonce, stored[..plaintext.Length], stored[plaintext.Length..], plaintext);
        }
        catch (AuthenticationTagMismatchException)
        {
            throw new InvalidDataException($"its {(isLast ? "last " : "")}frame, number {frame}, is not what was encrypted there");
        }
    }

    public void Dispose() => cipher.Dispose();

    /// <summary>The frame's number (u64, little-endian) and 1 for the last, 0 for any other (u32, little-endian).</summary>
    private void NextNonce(Span<byte> nonce, bool isLast)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(nonce, number);
        BinaryPrimitives.WriteUInt32LittleEndian(nonce[sizeof(ulong)..], isLast ? 1u : 0u);
        number++;
    }
}
