using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>The segment that is being received: its upload, its running hashes, and the chunks that will be superfluous when it is durable.</summary>
internal sealed class OpenSegment(LogRange range, StoredWriter upload) : IAsyncDisposable
{
    private readonly IncrementalHash contentHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public LogRange Range { get; } = range;

    public LogTimes Times { get; set; }

    /// <summary>Every chunk of this segment that exists; all are superfluous when it is durable.</summary>
    public List<LogPiece> Chunks { get; } = [];

    /// <summary>Those of them that the next merged chunk will hold from their first byte to their last.</summary>
    public List<LogPiece> Mergeable { get; } = [];

    /// <param name="mergedFrom">Where the next merged chunk begins.</param>
    public void AddChunk(LogPiece chunk, ulong mergedFrom)
    {
        Chunks.Add(chunk);
        if (chunk.Range.Start >= mergedFrom)
        {
            Mergeable.Add(chunk);
        }
    }

    /// <summary>The chunks that a merged one replaces; they are no longer this segment's.</summary>
    public IReadOnlyCollection<LogPiece> TakeMergeable()
    {
        List<LogPiece> taken = [.. Mergeable];
        Chunks.RemoveAll(taken.Contains);
        Mergeable.Clear();
        return taken;
    }

    public void AddContent(ReadOnlySpan<byte> bytes) => contentHash.AppendData(bytes);

    /// <summary>SHA-256 of the content so far.</summary>
    public string ContentSha256() => Convert.ToHexStringLower(contentHash.GetCurrentHash());

    public ValueTask AddCompressedAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => upload.WriteAsync(bytes, cancellationToken);

    /// <summary>Ends what the seal follows.</summary>
    public ValueTask<(long Bytes, string Sha256)> EndStoredAsync(CancellationToken cancellationToken) => upload.EndAsync(cancellationToken);

    /// <summary>False when the name was taken.</summary>
    public Task<bool> SealAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) => upload.SealAsync(frame, cancellationToken);

    public ValueTask DisposeAsync()
    {
        contentHash.Dispose();
        return upload.DisposeAsync();
    }
}
