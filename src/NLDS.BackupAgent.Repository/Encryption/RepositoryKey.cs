using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// One of the repository's keys: 32 secret bytes that are used for nothing themselves. Each purpose has a key of its own, derived by HKDF-SHA256 (RFC 5869)
/// without salt and with the purpose as info, so that what one of them protects says nothing of another.
/// </summary>
internal sealed class RepositoryKey
{
    /// <summary>AES-256's key.</summary>
    public const int Bytes = 32;

    public const int IdBytes = 8;

    /// <summary>AES-GCM's full tag.</summary>
    public const int TagBytes = 16;

    /// <summary>AES-GCM's nonce. Those under one derived key are random: at 2^32 uses, one a second for 136 years, two are the same with probability 2^-33.</summary>
    public const int NonceBytes = 12;

    private readonly byte[] wrap;
    private readonly byte[] seal;
    private readonly byte[] documents;
    private readonly byte[] content;
    private readonly byte[] id;

    /// <param name="secret">32 bytes.</param>
    public RepositoryKey(ReadOnlySpan<byte> secret)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secret.Length, Bytes, nameof(secret));
        id = Derive(secret, "nlds key id", IdBytes);
        wrap = Derive(secret, "nlds wrap", Bytes);
        seal = Derive(secret, "nlds seal", Bytes);
        documents = Derive(secret, "nlds documents", Bytes);
        content = Derive(secret, "nlds content", Bytes);
        Check = Convert.ToHexStringLower(Derive(secret, "nlds key check", Bytes));
        Id = Convert.ToHexStringLower(id);
    }

    /// <summary>Which key this is, in 16 hexadecimal digits. It is no secret.</summary>
    public string Id { get; }

    public ReadOnlySpan<byte> IdSpan => id;

    /// <summary>Tells this key from every other, and says nothing of it; 64 hexadecimal digits.</summary>
    public string Check { get; }

    /// <summary>What an object's own key is wrapped with.</summary>
    public AesGcm Wrapping() => new(wrap, TagBytes);

    /// <summary>What the seals of log pieces are encrypted with.</summary>
    public AesGcm Sealing() => new(seal, TagBytes);

    /// <summary>Only a holder of the key can make this for an object's name and its lines; HMAC-SHA256.</summary>
    public byte[] Authenticate(ObjectKey name, ReadOnlySpan<byte> lines)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, documents);
        mac.AppendData(Encoding.UTF8.GetBytes(name.Value + "\n"));
        mac.AppendData(lines);
        return mac.GetHashAndReset();
    }

    /// <summary>A content's fingerprint for those who hold the key. A bare SHA-256 would let everybody else confirm a guess of the content.</summary>
    /// <param name="sha256">SHA-256 of the content.</param>
    /// <returns>HMAC-SHA256 in lower-case hexadecimal.</returns>
    public string Fingerprint(ReadOnlySpan<byte> sha256) => Convert.ToHexStringLower(HMACSHA256.HashData(content, sha256));

    private static byte[] Derive(ReadOnlySpan<byte> secret, string purpose, int bytes)
    {
        var derived = new byte[bytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, derived, salt: [], info: Encoding.ASCII.GetBytes(purpose));
        return derived;
    }
}
