using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

/// <summary>What a repository holds of one timeline, unpacked and proved: one stretch without a hole.</summary>
internal sealed record ArchivedWal(uint Timeline, Lsn Start, byte[] Content, LogInventory Inventory)
{
    public Lsn End => Start + (ulong)Content.Length;

    public static PostgresCatalog CatalogOf(IObjectStore store) => new(new BackupRepository(store, new RepositoryOptions(), TimeProvider.System));

    public static async Task<LogInventory> InventoryAsync(IObjectStore store, int segmentMegabytes = 1) =>
        await CatalogOf(store).OpenLog(new WalSegmentSize(segmentMegabytes << 20)).ReadInventoryAsync(TestContext.Current.CancellationToken);

    /// <param name="from">Where to begin; otherwise at the first piece.</param>
    public static async Task<ArchivedWal> ReadAsync(IObjectStore store, int segmentMegabytes = 1, uint timeline = 1, Lsn? from = null)
    {
        var archive = CatalogOf(store).OpenLog(new WalSegmentSize(segmentMegabytes << 20));
        var inventory = await archive.ReadInventoryAsync(TestContext.Current.CancellationToken);
        var lineage = WalNaming.Lineage(timeline);
        var pieces = inventory.Pieces.Where(p => p.Lineage == lineage).ToList();
        var start = from?.Value ?? pieces.Min(p => p.Range.Start);
        var cover = inventory.Cover(lineage, start);
        if (from is null)
        {
            cover.End.ShouldBe(pieces.Max(p => p.Range.End), "The archive has a hole.");
        }

        var content = new MemoryStream();
        foreach (var piece in cover.Pieces)
        {
            var one = new MemoryStream();
            await archive.CopyAsync(piece, one, TestContext.Current.CancellationToken);
            var known = (int)(start + (ulong)content.Length - piece.Range.Start);
            content.Write(one.GetBuffer().AsSpan(known, (int)one.Length - known));
        }

        return new ArchivedWal(timeline, new Lsn(start), content.ToArray(), inventory);
    }

    /// <summary>Every byte is the one in the segment files of a directory, as far as both have it. Returns how many whole segments were compared.</summary>
    public int ShouldEqualFilesIn(string directory, int segmentMegabytes = 1)
    {
        var size = new WalSegmentSize(segmentMegabytes << 20);
        var whole = 0;
        for (var segment = WalSegment.Holding(Start, Timeline, size); segment.Start < End; segment = segment.Next)
        {
            var file = Path.Combine(directory, segment.Name);
            if (!File.Exists(file))
            {
                continue;
            }

            var from = Lsn.Max(segment.Start, Start);
            var to = Lsn.Min(segment.End, End);
            var expected = File.ReadAllBytes(file).AsSpan((int)(from - segment.Start), (int)(to - from));
            Content.AsSpan((int)(from - Start), (int)(to - from)).SequenceEqual(expected).ShouldBeTrue($"{segment.Name} differs from {file}.");
            whole += to - from == (ulong)size.Bytes ? 1 : 0;
        }

        return whole;
    }
}
