using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Archive;

/// <summary>
/// A set of files (name, size, CRC-32C) in 32 bytes: the sum, modulo 2^256, of the SHA-256 of each. Two sets are the same when their digests are, in whatever
/// order their files came; that takes constant memory for a million files, where a table of them would take a quarter of a small pod.
/// </summary>
internal sealed class FileDigest
{
    private readonly ulong[] sum = new ulong[4];

    public long Files { get; private set; }

    public void Add(string name, long bytes, uint crc32c)
    {
        Span<byte> hash = stackalloc byte[32];
        var text = Encoding.UTF8.GetBytes($"{name}\n{bytes}\n{crc32c:x8}");
        SHA256.HashData(text, hash);
        Span<ulong> words = stackalloc ulong[4];
        for (var i = 0; i < 4; i++)
        {
            words[i] = BinaryPrimitives.ReadUInt64LittleEndian(hash[(i * 8)..]);
        }

        AddToSum(words);
        Files++;
    }

    /// <summary>Adds all files of another set.</summary>
    public void Add(FileDigest other)
    {
        AddToSum(other.sum);
        Files += other.Files;
    }

    public bool Equals(FileDigest other) => Files == other.Files && sum.AsSpan().SequenceEqual(other.sum);

    private void AddToSum(ReadOnlySpan<ulong> words)
    {
        ulong carry = 0;
        for (var i = 0; i < 4; i++)
        {
            var total = (UInt128)sum[i] + words[i] + carry;
            sum[i] = (ulong)total;
            carry = (ulong)(total >> 64);
        }
    }
}
