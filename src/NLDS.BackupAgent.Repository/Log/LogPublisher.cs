using System.Buffers;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// Makes one piece of the log durable, in the only order that is safe: its proof with it or before it, then its marks, then the frontier, and only then the
/// removal of what it makes superfluous.
/// </summary>
/// <param name="durable">Told of a range when it, its proof and its marks are durable.</param>
internal sealed class LogPublisher(LogArchive archive, Action<LogRange> durable)
{
    /// <param name="compressed">The chunk's content.</param>
    public async Task PutChunkAsync(
        LogPiece chunk, LogSeal seal, byte[] compressed, IReadOnlyList<LogMark> marks, IReadOnlyCollection<LogPiece> superseded, CancellationToken cancellationToken)
    {
        var stored = new ArrayBufferWriter<byte>(ObjectEncryptor.BytesFor(compressed.Length) + SealFrame.MaximumBytes);
        if (archive.Key is { } key)
        {
            ObjectEncryptor.Encrypt(key, chunk.Key, compressed, stored);
        }
        else
        {
            stored.Write(compressed);
        }

        seal = seal with { StoredBytes = stored.WrittenCount, StoredSha256 = Convert.ToHexStringLower(SHA256.HashData(stored.WrittenSpan)) };
        stored.Write(await PutSealBesideAsync(chunk, seal, cancellationToken));
        if (!await archive.Store.PutIfAbsentAsync(chunk.Key, stored.WrittenMemory, cancellationToken))
        {
            await RequireOwnAsync(chunk, seal, cancellationToken);
        }

        await DurableAsync(chunk.Range, marks, cancellationToken);
        await archive.RemoveAsync([.. superseded.Where(p => p.Key != chunk.Key)], cancellationToken);
    }

    /// <param name="lastChunk">The chunk that may still be on its way; what is removed at the end includes it.</param>
    public async Task SealSegmentAsync(
        OpenSegment segment, LogPiece piece, LogSeal seal, IReadOnlyList<LogMark> marks, Task lastChunk, CancellationToken cancellationToken)
    {
        await using var owned = segment;
        await archive.RequireWriterAsync(cancellationToken);
        var (bytes, sha256) = await segment.EndStoredAsync(cancellationToken);
        seal = seal with { StoredBytes = bytes, StoredSha256 = sha256 };
        var frame = await PutSealBesideAsync(piece, seal, cancellationToken);
        if (!await segment.SealAsync(frame, cancellationToken))
        {
            await RequireOwnAsync(piece, seal, cancellationToken);
        }

        await DurableAsync(piece.Range, marks, cancellationToken);
        await lastChunk;
        await archive.RemoveAsync(segment.Chunks, cancellationToken);
    }

    /// <summary>What goes behind the stored bytes: the seal, encrypted or in the codec's frame, or nothing for a codec that has no place for one; then the seal is put first.</summary>
    private async Task<byte[]> PutSealBesideAsync(LogPiece piece, LogSeal seal, CancellationToken cancellationToken)
    {
        if (archive.Key is { } encryption)
        {
            return SealBox.Write(seal, encryption, piece.Key);
        }

        var frame = SealFrame.Write(seal, piece.Codec);
        if (!piece.HasSealBeside)
        {
            return frame;
        }

        var key = LogNames.SealKey(piece.Key);
        var protection = piece.IsSegment ? Protection.Locked : Protection.None;
        if (!await archive.Store.PutIfAbsentAsync(key, frame, protection, cancellationToken))
        {
            // An earlier attempt's seal may differ in its times, never in what it proves.
            var found = SealFrame.Read(await archive.Store.ReadAllAsync(key, cancellationToken), piece.Codec, out _);
            if (found is null || found.StoredSha256 != seal.StoredSha256 || found.ContentSha256 != seal.ContentSha256)
            {
                throw LogArchive.Diverged(archive.Store, key);
            }
        }

        return [];
    }

    private async Task DurableAsync(LogRange range, IReadOnlyList<LogMark> marks, CancellationToken cancellationToken)
    {
        foreach (var mark in marks)
        {
            await archive.RecordMarkAsync(mark, cancellationToken);
        }

        durable(range);
    }

    /// <summary>The name was taken: by our own earlier attempt, or by another history? What is there is read in full before anybody relies on it.</summary>
    private async Task RequireOwnAsync(LogPiece taken, LogSeal seal, CancellationToken cancellationToken)
    {
        var existing = await archive.Store.HeadAsync(taken.Key, cancellationToken)
            ?? throw new ObjectStoreException(
                $"{archive.Store.Description} says of '{taken.Key}' first that it exists and then that it does not.", isPermanent: false);
        var found = await archive.CopyAsync(taken with { StoredBytes = existing.Bytes }, Stream.Null, cancellationToken);
        if (found.HashedFrom != seal.HashedFrom || found.ContentSha256 != seal.ContentSha256)
        {
            throw LogArchive.Diverged(archive.Store, taken.Key);
        }
    }
}
