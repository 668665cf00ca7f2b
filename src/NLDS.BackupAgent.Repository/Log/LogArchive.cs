using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// One source's log in the repository: whole segments under its folder, the durable chunks of the open segment under <c>tail/</c>, gap records under
/// <c>gaps/</c>, named moments under <c>marks/</c>. All but <c>tail/confirmed.json</c> are immutable.
/// </summary>
public sealed class LogArchive
{
    private readonly IObjectStore store;
    private readonly DocumentStore documents;
    private readonly string folder;
    private readonly LogFiles filesBeside;
    private readonly PlainReach plainReach;

    internal LogArchive(IObjectStore store, string folder, ILogNaming naming, Codec codec, int level, DocumentStore? documents = null)
    {
        this.store = store;
        this.documents = documents ?? new DocumentStore(store);
        this.folder = folder;
        filesBeside = new LogFiles(store, this.documents);
        Names = new LogNames(folder, naming, codec, this.documents.Keys);
        plainReach = new PlainReach(this.documents, Names.File(LogNames.PlainReach));
        Naming = naming;
        Codec = codec;
        Level = level;
    }

    public ILogNaming Naming { get; }

    internal LogNames Names { get; }

    internal Codec Codec { get; }

    internal int Level { get; }

    internal IObjectStore Store => store;

    /// <summary>What retention has removed of it.</summary>
    internal PrunedLogStore Pruned => new(store, documents, folder);

    /// <summary>May this piece be read here? Without a key an encrypted one is only seen.</summary>
    public bool CanRead(LogPiece piece) => !piece.IsEncrypted || Key is not null;

    /// <summary>What its pieces are encrypted with from now on; null for not at all.</summary>
    internal RepositoryKey? Key => documents.Keys.Writing;

    /// <summary>
    /// Makes the log ready for a writer. Where encryption is new here, this records how far the log without it reaches, after which no unencrypted piece is
    /// believed that reaches further.
    /// </summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (Key is null || await plainReach.IsRecordedAsync(cancellationToken))
        {
            return;
        }

        var pieces = new List<LogPiece>();
        await foreach (var entry in store.ListAsync(folder + "/", null, cancellationToken))
        {
            if (Names.TryParse(entry) is { IsEncrypted: false } piece)
            {
                pieces.Add(piece);
            }
        }

        await plainReach.RecordAsync(pieces, cancellationToken);
    }

    /// <summary>Lists the log. A listing that fails throws; it is never taken for an empty log.</summary>
    /// <remarks>
    /// A listing is no snapshot, and a writer may be at work: the tail is listed before the rest, so that what left the tail meanwhile is found as the
    /// segment that took its place. The other way round such a segment would look like a hole.
    /// </remarks>
    public Task<LogInventory> ReadInventoryAsync(CancellationToken cancellationToken) => ReadInventoryAsync(damaged: null, cancellationToken);

    /// <summary>The same for somebody who reports damage instead of stopping at it.</summary>
    /// <param name="damaged">Gets the records that cannot be relied on; without it the first of them is an exception.</param>
    public Task<LogInventory> ReadInventoryAsync(ICollection<DamagedRecord>? damaged, CancellationToken cancellationToken) => ReadAsync(null, damaged, cancellationToken);

    /// <summary>
    /// The log from a position on, for somebody who knows that what lies before is there: a listing of a year's log takes seconds and tells him nothing. Lineages
    /// whose names sort before this one's are left out.
    /// </summary>
    public Task<LogInventory> ReadInventoryFromAsync(string lineage, ulong position, CancellationToken cancellationToken) =>
        ReadAsync(new LogStart(lineage, Naming.SegmentAt(position).Start), null, cancellationToken);

    /// <summary>
    /// The end of the log: from the segment before the confirmed position, up to which everything was durable once. The whole log where nothing was confirmed,
    /// or nothing of what was confirmed is there.
    /// </summary>
    public async Task<LogInventory> ReadEndAsync(CancellationToken cancellationToken)
    {
        if (await FindConfirmationAsync(Names.Confirmation, cancellationToken) is { } confirmed)
        {
            var open = Naming.SegmentAt(confirmed.Position).Start;
            var end = await ReadInventoryFromAsync(confirmed.Lineage, open > 0 ? open - 1 : 0, cancellationToken);
            if (end.Pieces.Any(p => p.Lineage == confirmed.Lineage && p.Range.Start >= end.From!.Value.Position))
            {
                return end;
            }
        }

        return await ReadInventoryAsync(cancellationToken);
    }

    private async Task<LogInventory> ReadAsync(LogStart? from, ICollection<DamagedRecord>? damaged, CancellationToken cancellationToken)
    {
        var pieces = new List<LogPiece>();
        var files = new Dictionary<string, long>();
        var gaps = new List<LogGap>();
        var proofs = new List<string>();
        var hasPlainReach = false;
        await foreach (var entry in store.ListAsync(Names.TailPrefix, null, cancellationToken))
        {
            if (Names.ParseChunk(entry) is { } chunk)
            {
                pieces.Add(chunk);
            }
        }

        await foreach (var entry in store.ListAsync(folder + "/", Names.KeyBefore(from), cancellationToken))
        {
            var name = entry.Key.Value[(folder.Length + 1)..];
            if (name.StartsWith("gaps/", StringComparison.Ordinal))
            {
                if (await TryReadAsync(entry.Key, ReadGapAsync, damaged, cancellationToken) is { } gap)
                {
                    gaps.Add(gap);
                }
            }
            else if (name.EndsWith(DocumentStore.ChecksumSuffix, StringComparison.Ordinal))
            {
                proofs.Add(name[..^DocumentStore.ChecksumSuffix.Length]);
            }
            else if (name == LogNames.PlainReach)
            {
                hasPlainReach = true;
            }
            else if (name.Contains('/', StringComparison.Ordinal) || name.EndsWith(LogNames.SealSuffix, StringComparison.Ordinal))
            {
                continue;
            }
            else if (Names.ParseSegment(entry, name) is { } segment)
            {
                pieces.Add(segment);
            }
            else
            {
                files.Add(name, entry.Bytes);
            }
        }

        var (believed, strange) = await PartAsync(pieces, damaged, cancellationToken);
        return new LogInventory
        {
            From = from,
            Pieces = believed,
            Strange = strange,
            Gaps = gaps,
            Files = files,
            ProvenFiles = proofs,
            HasPlainReach = hasPlainReach,
            Confirmation = await TryReadAsync(Names.Confirmation, FindConfirmationAsync, damaged, cancellationToken),

            // Last: what was removed while the pieces were listed had been recorded before that.
            Pruned = await Pruned.ReadAsync(cancellationToken),
        };
    }

    /// <summary>The whole segment at <paramref name="position"/>, without a listing; null when the store said that it has none by any of its names.</summary>
    public async Task<LogPiece?> FindSegmentAsync(string lineage, ulong position, CancellationToken cancellationToken)
    {
        var range = Naming.SegmentAt(position);
        var forms = Enum.GetValues<Codec>().SelectMany(codec => (bool[])[true, false], (codec, isEncrypted) => (Codec: codec, IsEncrypted: isEncrypted));
        foreach (var (codec, isEncrypted) in forms.OrderByDescending(form => form.Codec == Codec && form.IsEncrypted == Key is not null))
        {
            var key = Names.SegmentKey(lineage, range, codec, isEncrypted);
            if (await store.HeadAsync(key, cancellationToken) is { } found
                && new LogPiece(key, lineage, range, codec, found.Bytes, IsSegment: true) { IsEncrypted = isEncrypted } is var piece
                && (await plainReach.PartAsync([piece], cancellationToken)).Believed.Count > 0)
            {
                return piece;
            }
        }

        return null;
    }

    /// <summary>Is a piece that was listed still there?</summary>
    public async Task<bool> ExistsAsync(LogPiece piece, CancellationToken cancellationToken) =>
        await store.HeadAsync(piece.Key, cancellationToken) is not null;

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
            await using var decrypted = piece.IsEncrypted ? new DecryptingStream(stored, documents.Keys, piece.Key) : (Stream)stored;
            await using var content = ContentReader.Decode(piece.Codec, decrypted);
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
    public Task PutFileAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        filesBeside.PutAsync(Names.File(name), content, cancellationToken);

    /// <summary>The content of a small file beside the log, proved.</summary>
    /// <exception cref="ObjectNotFoundException">The store said that there is none.</exception>
    /// <exception cref="NotRestorableException">It is damaged, or its proof is.</exception>
    public Task<byte[]> ReadFileAsync(string name, CancellationToken cancellationToken) =>
        filesBeside.ReadAsync(Names.File(name), cancellationToken);

    /// <summary>Records a hole for ever. Recording the same hole again changes nothing.</summary>
    public Task RecordGapAsync(LogGap gap, CancellationToken cancellationToken) =>
        documents.PutAsync(Names.GapKey(gap), gap, LogJson.Default.LogGap, cancellationToken);

    /// <summary>Records a named moment. Recording the same one again changes nothing.</summary>
    public Task RecordMarkAsync(LogMark mark, CancellationToken cancellationToken) =>
        documents.PutAsync(Names.MarkKey(mark.Lineage, mark.Start), mark, LogJson.Default.LogMark, cancellationToken);

    /// <summary>All named moments in the order of the log.</summary>
    public IAsyncEnumerable<LogMark> ReadMarksAsync(CancellationToken cancellationToken) => ReadMarksAsync(damaged: null, cancellationToken);

    /// <summary>The same for somebody who reports damage instead of stopping at it.</summary>
    public async IAsyncEnumerable<LogMark> ReadMarksAsync(
        ICollection<DamagedRecord>? damaged, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var entry in store.ListAsync(Names.MarksPrefix, null, cancellationToken))
        {
            if (await TryReadAsync(entry.Key, ReadMarkAsync, damaged, cancellationToken) is { } mark)
            {
                yield return mark;
            }
        }
    }

    /// <summary>Where the record of a named moment lies, for messages.</summary>
    public string NameOfMark(string lineage, ulong start) => Names.MarkKey(lineage, start).Value;

    /// <summary>Where the confirmation lies, for messages.</summary>
    public string NameOfConfirmation => Names.Confirmation.Value;

    /// <summary>Where the word of how far the unencrypted log reaches lies, for messages.</summary>
    public string NameOfPlainReach => NameOfFile(LogNames.PlainReach);

    /// <summary>Where a small file beside the log lies, for messages.</summary>
    public string NameOfFile(string name) => Names.File(name).Value;

    /// <summary>Removes pieces whose bytes other pieces hold; a seal beside a piece goes after it, so that no piece is ever without its proof.</summary>
    public async Task RemoveAsync(IReadOnlyCollection<LogPiece> superfluous, CancellationToken cancellationToken)
    {
        if (superfluous.Count == 0)
        {
            return;
        }

        await store.DeleteAsync([.. superfluous.Select(p => p.Key)], cancellationToken);
        List<ObjectKey> seals = [.. superfluous.Where(p => p.HasSealBeside).Select(p => LogNames.SealKey(p.Key))];
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
        Names.Confirmation, confirmation, LogJson.Default.LogConfirmation, cancellationToken);

    private async Task<LogGap?> ReadGapAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        var gap = await documents.ReadAsync(key, LogJson.Default.LogGap, cancellationToken);
        return Names.IsPlace(gap.Lineage, gap.Start, gap.End) && Names.GapKey(gap) == key ? gap : throw BelongsElsewhere(key);
    }

    private async Task<LogMark?> ReadMarkAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        // One that retention removed after it was listed lay before everything that can be restored.
        var mark = await documents.FindAsync(key, LogJson.Default.LogMark, cancellationToken);
        return mark is null || (Names.IsPlace(mark.Lineage, mark.Start, mark.End) && Names.MarkKey(mark.Lineage, mark.Start) == key) ? mark : throw BelongsElsewhere(key);
    }

    private async Task<LogConfirmation?> FindConfirmationAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        var confirmed = await documents.FindRegisterAsync(key, LogJson.Default.LogConfirmation, cancellationToken);
        return confirmed is null || Names.IsPlace(confirmed.Lineage, confirmed.Position, confirmed.Position)
            ? confirmed
            : throw new NotRestorableException($"The object '{key}' is damaged: it confirms what cannot be of this log.");
    }

    /// <summary>Without the word of who turned encryption on, the unencrypted pieces are looked at all the same by one who only reports.</summary>
    private async Task<(IReadOnlyList<LogPiece> Believed, IReadOnlyList<LogPiece> Strange)> PartAsync(
        IReadOnlyList<LogPiece> pieces, ICollection<DamagedRecord>? damaged, CancellationToken cancellationToken)
    {
        try
        {
            return await plainReach.PartAsync(pieces, cancellationToken);
        }
        catch (NotRestorableException damage) when (damaged is not null)
        {
            damaged.Add(new DamagedRecord(NameOfPlainReach, damage.Message));
            return (pieces, []);
        }
    }

    private static NotRestorableException BelongsElsewhere(ObjectKey key) => new($"The object '{key}' is damaged: what it records belongs under another name.");

    private static async Task<T?> TryReadAsync<T>(
        ObjectKey key, Func<ObjectKey, CancellationToken, Task<T?>> read, ICollection<DamagedRecord>? damaged, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await read(key, cancellationToken);
        }
        catch (NotRestorableException damage) when (damaged is not null)
        {
            damaged.Add(new DamagedRecord(key.Value, damage.Message));
            return null;
        }
    }

    private async Task<(LogSeal Seal, int FrameBytes)> ReadSealAndSizeAsync(LogPiece piece, CancellationToken cancellationToken)
    {
        try
        {
            var (tail, inside) = piece.HasSealBeside
                ? (await store.ReadAllAsync(LogNames.SealKey(piece.Key), cancellationToken), false)
                : (await ReadEndAsync(piece, cancellationToken), true);
            var frameBytes = 0;
            var seal = (piece.IsEncrypted ? SealBox.Read(tail, documents.Keys, piece.Key, out frameBytes) : SealFrame.Read(tail, piece.Codec, out frameBytes))
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

    private static NotRestorableException Damaged(LogPiece piece, string what) => new($"The object '{piece.Key}' is damaged: {what}.");
}
