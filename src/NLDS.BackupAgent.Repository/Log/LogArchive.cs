using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// One source's log in the repository: whole segments under its folder, the durable chunks of the open segment under <c>tail/</c>, gap records under
/// <c>gaps/</c>, named moments under <c>marks/</c>. All but <c>tail/confirmed.json</c> are immutable.
/// </summary>
public sealed class LogArchive
{
    private const string SealSuffix = ".seal";
    private const string TailFolder = "tail/";

    /// <summary>Beside each small file, as <c>sha256sum</c> writes it: <c>sha256sum -c</c> checks the file by hand.</summary>
    private const string FileProofSuffix = ".sha256";
    private readonly IObjectStore store;
    private readonly DocumentStore documents;
    private readonly string folder;

    internal LogArchive(IObjectStore store, string folder, ILogNaming naming, Codec codec, int level)
    {
        this.store = store;
        documents = new DocumentStore(store);
        this.folder = folder;
        Naming = naming;
        Codec = codec;
        Level = level;
    }

    public ILogNaming Naming { get; }

    internal Codec Codec { get; }

    internal int Level { get; }

    internal IObjectStore Store => store;

    private ObjectKey ConfirmationKey => new($"{folder}/{TailFolder}confirmed.json");

    internal ObjectKey SegmentKey(string lineage, LogRange segment) => new($"{folder}/{Naming.Name(lineage, segment)}{Codec.Suffix()}");

    internal ObjectKey ChunkKey(string lineage, LogRange range) => new($"{folder}/{TailFolder}{lineage}-{range.Start:x16}-{range.End:x16}{Codec.Suffix()}");

    /// <summary>Lists the log. A listing that fails throws; it is never taken for an empty log.</summary>
    /// <remarks>
    /// A listing is no snapshot, and a writer may be at work: the tail is listed before the rest, so that what left the tail meanwhile is found as the
    /// segment that took its place. The other way round such a segment would look like a hole.
    /// </remarks>
    public async Task<LogInventory> ReadInventoryAsync(CancellationToken cancellationToken)
    {
        var pieces = new List<LogPiece>();
        var files = new Dictionary<string, long>();
        var gaps = new List<LogGap>();
        await foreach (var entry in store.ListAsync($"{folder}/{TailFolder}", null, cancellationToken))
        {
            if (ParseChunk(entry) is { } chunk)
            {
                pieces.Add(chunk);
            }
        }

        await foreach (var entry in store.ListAsync(folder + "/", null, cancellationToken))
        {
            var name = entry.Key.Value[(folder.Length + 1)..];
            if (name.StartsWith("gaps/", StringComparison.Ordinal))
            {
                gaps.Add(await documents.ReadAsync(entry.Key, LogJson.Default.LogGap, cancellationToken));
            }
            else if (name.Contains('/', StringComparison.Ordinal) || name.EndsWith(SealSuffix, StringComparison.Ordinal)
                || name.EndsWith(FileProofSuffix, StringComparison.Ordinal))
            {
                continue;
            }
            else if (ParseSegment(entry, name) is { } segment)
            {
                pieces.Add(segment);
            }
            else
            {
                files.Add(name, entry.Bytes);
            }
        }

        return new LogInventory { Pieces = pieces, Gaps = gaps, Files = files, Confirmation = await documents.FindAsync(ConfirmationKey, LogJson.Default.LogConfirmation, cancellationToken) };
    }

    /// <summary>The whole segment at <paramref name="position"/>, without a listing; null when the store said that it has none by any of its names.</summary>
    public async Task<LogPiece?> FindSegmentAsync(string lineage, ulong position, CancellationToken cancellationToken)
    {
        var range = Naming.SegmentAt(position);
        foreach (var codec in Enum.GetValues<Codec>().OrderByDescending(c => c == Codec))
        {
            var key = new ObjectKey($"{folder}/{Naming.Name(lineage, range)}{codec.Suffix()}");
            if (await store.HeadAsync(key, cancellationToken) is { } found)
            {
                return new LogPiece(key, lineage, range, codec, found.Bytes, IsSegment: true);
            }
        }

        return null;
    }

    /// <summary>The seal of a piece, by one small ranged read.</summary>
    /// <exception cref="NotRestorableException">The piece is missing, or its seal is damaged.</exception>
    public async Task<LogSeal> ReadSealAsync(LogPiece piece, CancellationToken cancellationToken)
    {
        var (seal, _) = await ReadSealAndSizeAsync(piece, cancellationToken);
        return seal;
    }

    /// <summary>Writes the content of a piece to <paramref name="target"/> after proving every stored byte against its seal while it passes.</summary>
    /// <returns>The seal.</returns>
    /// <exception cref="NotRestorableException">The piece is missing or damaged; what was written must not be used.</exception>
    public async Task<LogSeal> CopyAsync(LogPiece piece, Stream target, CancellationToken cancellationToken)
    {
        try
        {
            var (seal, frameBytes) = await ReadSealAndSizeAsync(piece, cancellationToken);
            await using var source = await store.OpenReadAsync(piece.Key, 0, piece.StoredBytes - frameBytes, cancellationToken);
            await using var stored = new HashingStream(source, hashes: true);
            await using var content = ContentReader.Decode(piece.Codec, stored);
            var counted = new CountingCopy(piece.Range.Length);
            await counted.CopyAsync(content, target, cancellationToken);
            await stored.DrainAsync(cancellationToken);
            if (counted.Bytes != (long)piece.Range.Length || stored.Bytes != seal.StoredBytes || stored.Sha256() != seal.StoredSha256)
            {
                throw Damaged(piece, "its bytes do not have the SHA-256 that its seal says");
            }

            return seal;
        }
        catch (InvalidDataException damage)
        {
            throw Damaged(piece, damage.Message);
        }
        catch (ObjectNotFoundException)
        {
            throw new NotRestorableException($"The object '{piece.Key}' is missing from the repository.");
        }
    }

    /// <summary>Stores a small file beside the log under its own name, its proof first, unless the same bytes are there already.</summary>
    /// <exception cref="LogDivergedException">A file of that name has other content.</exception>
    public async Task PutFileAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var key = new ObjectKey($"{folder}/{name}");
        await PutSameAsync(FileProofKey(key), FileProof(name, content.Span), cancellationToken);
        await PutSameAsync(key, content, cancellationToken);
    }

    /// <summary>The content of a small file beside the log, proved.</summary>
    /// <exception cref="ObjectNotFoundException">The store said that there is none.</exception>
    /// <exception cref="NotRestorableException">It is damaged, or its proof is.</exception>
    public async Task<byte[]> ReadFileAsync(string name, CancellationToken cancellationToken)
    {
        var key = new ObjectKey($"{folder}/{name}");
        var content = await store.ReadAllAsync(key, cancellationToken);
        try
        {
            var proof = await store.ReadAllAsync(FileProofKey(key), cancellationToken);
            return proof.AsSpan().SequenceEqual(FileProof(name, content))
                ? content
                : throw new NotRestorableException($"The object '{key}' is damaged: it does not have the SHA-256 that '{FileProofKey(key)}' says.");
        }
        catch (ObjectNotFoundException)
        {
            throw new NotRestorableException($"The object '{FileProofKey(key)}' is missing from the repository: '{key}' cannot be proved.");
        }
    }

    /// <summary>Records a hole for ever. Recording the same hole again changes nothing.</summary>
    public Task RecordGapAsync(LogGap gap, CancellationToken cancellationToken) => documents.PutAsync(
        new ObjectKey($"{folder}/gaps/{gap.Lineage}-{gap.Start:x16}-{gap.End:x16}.json"), gap, LogJson.Default.LogGap, cancellationToken);

    /// <summary>Records a named moment. Recording the same one again changes nothing.</summary>
    public Task RecordMarkAsync(LogMark mark, CancellationToken cancellationToken) => documents.PutAsync(
        new ObjectKey($"{folder}/marks/{mark.Lineage}-{mark.Start:x16}.json"), mark, LogJson.Default.LogMark, cancellationToken);

    /// <summary>All named moments in the order of the log.</summary>
    public async IAsyncEnumerable<LogMark> ReadMarksAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var entry in store.ListAsync(folder + "/marks/", null, cancellationToken))
        {
            yield return await documents.ReadAsync(entry.Key, LogJson.Default.LogMark, cancellationToken);
        }
    }

    /// <summary>Removes pieces whose bytes other pieces hold; a seal beside a piece goes after it, so that no piece is ever without its proof.</summary>
    public async Task RemoveAsync(IReadOnlyCollection<LogPiece> superfluous, CancellationToken cancellationToken)
    {
        if (superfluous.Count == 0)
        {
            return;
        }

        await store.DeleteAsync([.. superfluous.Select(p => p.Key)], cancellationToken);
        List<ObjectKey> seals = [.. superfluous.Where(p => p.Codec == Codec.None).Select(p => SealKey(p.Key))];
        if (seals.Count > 0)
        {
            await store.DeleteAsync(seals, cancellationToken);
        }
    }

    /// <summary>Is a piece that the archive holds the log that was received from <paramref name="hashedFrom"/> to the piece's end?</summary>
    /// <returns>Null when its seal proves it; otherwise why the piece cannot be relied on.</returns>
    /// <exception cref="LogDivergedException">The seal proves another log.</exception>
    internal async Task<string?> FindFaultAsync(LogPiece piece, ulong hashedFrom, string contentSha256, CancellationToken cancellationToken)
    {
        try
        {
            var seal = await ReadSealAsync(piece, cancellationToken);
            if (seal.HashedFrom != hashedFrom)
            {
                return $"The object '{piece.Key}' cannot be compared: its hash begins at {Naming.Format(seal.HashedFrom)}, not at {Naming.Format(hashedFrom)}.";
            }

            return seal.ContentSha256 == contentSha256 ? null : throw Diverged(store, piece.Key);
        }
        catch (NotRestorableException damage)
        {
            return damage.Message;
        }
    }

    internal static LogDivergedException Diverged(IObjectStore store, ObjectKey key) => new(
        $"The log that the server sends differs from '{key}' in {store.Description}: the same positions hold other bytes. "
        + "This server is a copy or was set back; nothing was changed. Give it a repository of its own.");

    /// <summary>Before a whole segment is sealed, for an archive that is written under a lease: this process must still be the one that writes.</summary>
    internal Task RequireWriterAsync(CancellationToken cancellationToken) =>
        store is FencedObjectStore fenced ? fenced.RequireNewestAsync(cancellationToken) : Task.CompletedTask;

    internal Task ConfirmAsync(LogConfirmation confirmation, CancellationToken cancellationToken) => documents.ReplaceAsync(
        ConfirmationKey, confirmation, LogJson.Default.LogConfirmation, cancellationToken);

    /// <summary>The seal's own object, for a codec that has no place for a seal.</summary>
    internal static ObjectKey SealKey(ObjectKey piece) => new(piece.Value + SealSuffix);

    private static ObjectKey FileProofKey(ObjectKey file) => new(file.Value + FileProofSuffix);

    private static byte[] FileProof(string name, ReadOnlySpan<byte> content) =>
        Encoding.UTF8.GetBytes($"{Convert.ToHexStringLower(SHA256.HashData(content))}  {name}\n");

    private async Task PutSameAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (!await store.PutIfAbsentAsync(key, content, cancellationToken)
            && !(await store.ReadAllAsync(key, cancellationToken)).AsSpan().SequenceEqual(content.Span))
        {
            throw new LogDivergedException($"The repository holds another '{key}' than the server has. They come from different lines of history.");
        }
    }

    private async Task<(LogSeal Seal, int FrameBytes)> ReadSealAndSizeAsync(LogPiece piece, CancellationToken cancellationToken)
    {
        try
        {
            var (tail, inside) = piece.Codec == Codec.None
                ? (await store.ReadAllAsync(SealKey(piece.Key), cancellationToken), false)
                : (await ReadEndAsync(piece, cancellationToken), true);
            var seal = SealFrame.Read(tail, piece.Codec, out var frameBytes)
                ?? throw Damaged(piece, "its seal cannot be read");
            frameBytes = inside ? frameBytes : 0;
            if (seal.Lineage != piece.Lineage || seal.Start != piece.Range.Start || seal.End != piece.Range.End
                || seal.StoredBytes != piece.StoredBytes - frameBytes)
            {
                throw Damaged(piece, "its seal belongs to another object, or it was cut short");
            }

            return (seal, frameBytes);
        }
        catch (ObjectNotFoundException missing)
        {
            throw new NotRestorableException($"The object '{missing.Key}' is missing from the repository.");
        }
    }

    private async Task<byte[]> ReadEndAsync(LogPiece piece, CancellationToken cancellationToken)
    {
        var count = (int)Math.Min(piece.StoredBytes, SealFrame.MaximumBytes);
        var end = new byte[count];
        await using var source = await store.OpenReadAsync(piece.Key, piece.StoredBytes - count, count, cancellationToken);
        return await source.ReadAtLeastAsync(end, count, throwOnEndOfStream: false, cancellationToken) == count
            ? end
            : throw Damaged(piece, $"it is shorter than the {piece.StoredBytes} bytes that were listed");
    }

    private LogPiece? ParseSegment(ObjectInfo entry, string name)
    {
        var (bare, codec) = Codecs.Split(name);
        return Naming.TryParse(bare, out var lineage, out var range)
            ? new LogPiece(entry.Key, lineage, range, codec, entry.Bytes, IsSegment: true)
            : null;
    }

    private static LogPiece? ParseChunk(ObjectInfo entry)
    {
        var (bare, codec) = Codecs.Split(entry.Key.Name);
        return TryParseChunk(bare, out var lineage, out var range)
            ? new LogPiece(entry.Key, lineage, range, codec, entry.Bytes, IsSegment: false)
            : null;
    }

    private static bool TryParseChunk(string name, out string lineage, out LogRange range)
    {
        lineage = "";
        range = default;
        var parts = name.Split('-');
        if (parts.Length != 3 || parts[1].Length != 16 || parts[2].Length != 16
            || !ulong.TryParse(parts[1], System.Globalization.NumberStyles.AllowHexSpecifier, null, out var start)
            || !ulong.TryParse(parts[2], System.Globalization.NumberStyles.AllowHexSpecifier, null, out var end)
            || end <= start)
        {
            return false;
        }

        lineage = parts[0];
        range = new LogRange(start, end);
        return true;
    }

    private static NotRestorableException Damaged(LogPiece piece, string what) => new($"The object '{piece.Key}' is damaged: {what}.");
}
