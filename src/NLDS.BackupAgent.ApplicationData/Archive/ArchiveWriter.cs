using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.ApplicationData.Archive;

/// <summary>
/// A tar archive on its way into the repository. An entry's length stands before its content, so every file is handed over whole; that none is larger than memory
/// allows is <see cref="DocumentWriter"/>'s care.
/// </summary>
internal sealed class ArchiveWriter(ContentWriter content, string folder, DateTimeOffset at)
{
    private static readonly byte[] Zeros = new byte[2 * TarHeader.BlockBytes];

    private readonly List<string> files = [];

    /// <summary>Names of what is in it so far.</summary>
    public IReadOnlyList<string> Files => files;

    /// <summary>Content bytes so far.</summary>
    public long Bytes => content.ContentBytes;

    public async Task<ArchivedFile> AddAsync(string name, long count, IReadOnlyList<ReadOnlyMemory<byte>> parts, CancellationToken cancellationToken)
    {
        var bytes = parts.Sum(part => (long)part.Length);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await content.WriteAsync(TarHeader.Write($"{folder}/{name}", bytes, at), cancellationToken);
        foreach (var part in parts)
        {
            hash.AppendData(part.Span);
            await content.WriteAsync(part, cancellationToken);
        }

        var padding = (int)(-bytes & (TarHeader.BlockBytes - 1));
        await content.WriteAsync(Zeros.AsMemory(0, padding), cancellationToken);
        files.Add(name);
        return new ArchivedFile(name, bytes, Convert.ToHexStringLower(hash.GetCurrentHash()), count);
    }

    /// <summary>Two blocks of zeros.</summary>
    public async Task EndAsync(CancellationToken cancellationToken) => await content.WriteAsync(Zeros, cancellationToken);
}
