using System.Text;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class LogArchiveTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<Codec> Codecs => [Codec.Zstd, Codec.Gzip, Codec.None];

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Every_flipped_byte_of_a_piece_is_damage_that_is_named(Codec codec)
    {
        var bench = await WithPiecesAsync(codec);
        foreach (var piece in (await bench.Archive.ReadInventoryAsync(None)).Pieces)
        {
            foreach (var key in KeysOf(piece))
            {
                var sound = await bench.Store.ReadAllAsync(key, None);
                for (var at = 0; at < sound.Length; at++)
                {
                    var damaged = sound.ToArray();
                    damaged[at] ^= 0x20;
                    await bench.Store.ReplaceAsync(key, damaged, None);
                    (await DamageAsync(bench, piece)).ShouldContain(piece.Key.Value, customMessage: $"byte {at} of {key}");
                }

                await bench.Store.ReplaceAsync(key, sound, None);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Every_truncation_of_a_piece_is_damage_whether_it_was_listed_before_or_after(Codec codec)
    {
        var bench = await WithPiecesAsync(codec);
        foreach (var piece in (await bench.Archive.ReadInventoryAsync(None)).Pieces)
        {
            var sound = await bench.Store.ReadAllAsync(piece.Key, None);
            for (var length = 0; length < sound.Length; length++)
            {
                await bench.Store.ReplaceAsync(piece.Key, sound.AsMemory(0, length), None);
                (await DamageAsync(bench, piece)).ShouldContain(piece.Key.Value);
                (await DamageAsync(bench, piece with { StoredBytes = length })).ShouldContain(piece.Key.Value);
            }

            await bench.Store.ReplaceAsync(piece.Key, sound, None);
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task A_piece_that_is_gone_is_named(Codec codec)
    {
        var bench = await WithPiecesAsync(codec);
        var pieces = (await bench.Archive.ReadInventoryAsync(None)).Pieces;
        await bench.Archive.RemoveAsync(pieces, None);

        foreach (var piece in pieces)
        {
            (await DamageAsync(bench, piece)).ShouldContain(piece.Key.Value);
        }

        (await bench.KeysAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_piece_under_another_pieces_name_is_damage()
    {
        var bench = await WithPiecesAsync(Codec.Zstd);
        var chunk = (await bench.ChunksAsync())[0];
        var other = new LogRange(chunk.Range.Start + 1, chunk.Range.End + 1);
        var moved = chunk with { Key = bench.Archive.Names.ChunkKey(LogBench.Lineage, other), Range = other };
        await bench.Store.PutIfAbsentAsync(moved.Key, await bench.Store.ReadAllAsync(chunk.Key, None), None);

        (await DamageAsync(bench, moved)).ShouldContain("belongs to another object");
    }

    [Fact]
    public async Task A_store_that_fails_is_not_damage_and_not_absence()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = await WithPiecesAsync(Codec.Zstd, store);
        var piece = (await bench.Archive.ReadInventoryAsync(None)).Pieces[0];
        store.FailFrom(1, Fault.Transient);

        await Should.ThrowAsync<ObjectStoreException>(() => bench.Archive.CopyAsync(piece, Stream.Null, None));
        await Should.ThrowAsync<ObjectStoreException>(() => bench.Archive.ReadSealAsync(piece, None));
        await Should.ThrowAsync<ObjectStoreException>(() => bench.Archive.ReadFileAsync("2.history", None));
    }

    [Fact]
    public async Task An_inventory_with_a_failing_call_throws_and_is_never_empty()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = await WithPiecesAsync(Codec.Zstd, store);
        await bench.Archive.RecordGapAsync(new LogGap("A1", 5, 9, "lost", FakeObserver.Epoch), None);
        store.FailWhen((_, _) => null);
        await bench.Archive.ReadInventoryAsync(None);
        for (var (call, calls) = (1, store.Calls); call <= calls; call++)
        {
            foreach (var fault in new[] { Fault.Transient, Fault.Permanent, Fault.LostAnswer })
            {
                store.FailCall(call, fault);
                await Should.ThrowAsync<ObjectStoreException>(() => bench.Archive.ReadInventoryAsync(None), $"call {call}, {fault}");
            }
        }
    }

    [Fact]
    public async Task A_segment_that_takes_its_chunks_place_while_the_log_is_listed_leaves_no_hole()
    {
        var inner = new MemoryObjectStore();
        var bench = new LogBench(inner, LogBench.Random(1, 40_000), segmentBytes: 32_768);
        await using var writer = bench.Open();
        await writer.FlushToAsync(30_000);
        var listed = 0;
        var watched = new LogArchive(
            new ListingStore(inner, () => ++listed == 1 ? writer.FlushToAsync(32_768) : Task.CompletedTask), "source/log", bench.Naming, Codec.Zstd, 3);

        var inventory = await watched.ReadInventoryAsync(None);

        inventory.Cover(LogBench.Lineage, 0).End.ShouldBe(32_768ul);
        listed.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Gaps_marks_and_files_are_kept_once_and_read_back()
    {
        var bench = new LogBench(new MemoryObjectStore(), []);
        var gap = new LogGap("A1", 100, 200, "The slot was lost.", FakeObserver.Epoch);
        var mark = new LogMark("before-release", "A1", 300, 310, FakeObserver.Epoch);
        await bench.Archive.RecordGapAsync(gap, None);
        await bench.Archive.RecordGapAsync(gap with { RecordedAt = FakeObserver.Epoch.AddDays(1) }, None);
        await bench.Archive.RecordMarkAsync(mark, None);
        await bench.Archive.RecordMarkAsync(mark, None);
        await bench.Archive.PutFileAsync("00000002.history", "1\t0/3000000"u8.ToArray(), None);
        await bench.Archive.PutFileAsync("00000002.history", "1\t0/3000000"u8.ToArray(), None);

        var inventory = await bench.Archive.ReadInventoryAsync(None);

        inventory.Gaps.ShouldBe([gap]);
        inventory.Pieces.ShouldBeEmpty();
        inventory.Files.ShouldBe(new Dictionary<string, long> { ["00000002.history"] = 11 });
        (await bench.Archive.ReadFileAsync("00000002.history", None)).ShouldBe("1\t0/3000000"u8.ToArray());
        await foreach (var read in bench.Archive.ReadMarksAsync(None))
        {
            read.ShouldBe(mark);
        }

        await Should.ThrowAsync<LogDivergedException>(() => bench.Archive.PutFileAsync("00000002.history", "1\t0/4000000"u8.ToArray(), None));
        await Should.ThrowAsync<ObjectNotFoundException>(() => bench.Archive.ReadFileAsync("00000003.history", None));
    }

    [Fact]
    public async Task Each_flipped_byte_of_a_gap_a_mark_a_confirmation_or_a_file_beside_the_log_is_damage_that_is_named()
    {
        var bench = new LogBench(new MemoryObjectStore(), []);
        await bench.Archive.RecordGapAsync(new LogGap("A1", 100, 200, "removed", FakeObserver.Epoch), None);
        await bench.Archive.RecordMarkAsync(new LogMark("before-release", "A1", 300, 310, FakeObserver.Epoch), None);
        await bench.Archive.ConfirmAsync(new LogConfirmation("A1", 310, FakeObserver.Epoch), None);
        await bench.Archive.PutFileAsync("2.history", "1\t0/3000000"u8.ToArray(), None);
        List<ObjectKey> keys = [];
        await foreach (var entry in bench.Store.ListAsync("", null, None))
        {
            keys.Add(entry.Key);
        }

        keys.Count.ShouldBe(5);
        foreach (var key in keys)
        {
            var sound = await bench.Store.ReadAllAsync(key, None);
            for (var position = 0; position < sound.Length; position++)
            {
                var flipped = sound.ToArray();
                flipped[position] ^= 4;
                await bench.Store.ReplaceAsync(key, flipped, None);
                (await Should.ThrowAsync<NotRestorableException>(ReadAllAsync)).Message.ShouldContain(key.Name);
            }

            await bench.Store.ReplaceAsync(key, sound, None);
        }

        await ReadAllAsync();

        async Task ReadAllAsync()
        {
            await bench.Archive.ReadInventoryAsync(None);
            await bench.Archive.ReadFileAsync("2.history", None);
            await foreach (var _ in bench.Archive.ReadMarksAsync(None))
            {
            }
        }
    }

    [Fact]
    public async Task By_hand_sha256sum_checks_a_file_beside_the_log()
    {
        using var directory = new TemporaryDirectory();
        var bench = new LogBench(new MemoryObjectStore(), []);
        await bench.Archive.PutFileAsync("00000002.history", "1\t0/3000000"u8.ToArray(), None);
        foreach (var name in (string[])["00000002.history", "00000002.history.sha256"])
        {
            await File.WriteAllBytesAsync(directory[name], await bench.Store.ReadAllAsync(new ObjectKey("source/log/" + name), None), None);
        }

        Encoding.UTF8.GetString(await HandTools.RunAsync(directory.Path, "sha256sum -c 00000002.history.sha256")).ShouldBe("00000002.history: OK\n");
    }

    [Theory]
    [InlineData("gaps/A1-0000000000000005-0000000000000009.json")]
    [InlineData("tail/confirmed.json")]
    public async Task A_damaged_document_is_named(string name)
    {
        var bench = new LogBench(new MemoryObjectStore(), []);
        await bench.Store.PutIfAbsentAsync(new ObjectKey("source/log/" + name), "{\"lineage\":\"A1\"}"u8.ToArray(), None);

        (await Should.ThrowAsync<NotRestorableException>(() => bench.Archive.ReadInventoryAsync(None))).Message.ShouldContain(name);
    }

    [Theory]
    [InlineData(Codec.Zstd, "zstd -dc")]
    [InlineData(Codec.Gzip, "gzip -dc")]
    [InlineData(Codec.None, "cat")]
    public async Task By_hand_a_segment_opens_with_the_codecs_tool_and_an_open_one_is_its_chunks_in_order(Codec codec, string tool)
    {
        const int SegmentBytes = 64 << 10;
        using var directory = new TemporaryDirectory();
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(3, SegmentBytes + 9_000), codec, SegmentBytes);
        await using (var writer = bench.Open())
        {
            foreach (var end in new ulong[] { 10ul, 30_000ul, SegmentBytes, SegmentBytes + 1, SegmentBytes + 5_000, SegmentBytes + 9_000 })
            {
                await writer.FlushToAsync(end);
            }

            await writer.CompleteAsync();
        }

        foreach (var piece in (await bench.Archive.ReadInventoryAsync(None)).Pieces)
        {
            await File.WriteAllBytesAsync(directory[piece.Key.Name], await bench.Store.ReadAllAsync(piece.Key, None), None);
        }

        var suffix = codec.Suffix();
        (await HandTools.RunAsync(directory.Path, $"{tool} < A1_00000000{suffix}")).ShouldBe(bench.Content[..SegmentBytes]);
        var open = await HandTools.RunAsync(
            directory.Path, $"for f in $(ls A1-*{suffix}); do {tool} < $f; done > open; truncate -s {SegmentBytes} open; cat open");
        open.ShouldBe([.. bench.Content[SegmentBytes..], .. new byte[SegmentBytes - 9_000]]);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task The_end_of_a_log_is_read_from_the_segment_before_what_was_confirmed(Codec codec)
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 20 * 1_024), codec, segmentBytes: 1_024);
        await using (var writer = bench.Open())
        {
            writer.Writer.Confirm((10 * 1_024) + 300, bench.Clock.GetUtcNow());
            await writer.FlushToAsync((10 * 1_024) + 300);
            await writer.CompleteAsync();
        }

        var end = await bench.Archive.ReadEndAsync(None);

        end.From.ShouldBe(new LogStart(LogBench.Lineage, 9 * 1_024));
        end.Cover(LogBench.Lineage, 9 * 1_024).End.ShouldBe((10ul * 1_024) + 300);
        end.Pieces.Where(p => p.IsSegment).Min(p => p.Range.Start).ShouldBeGreaterThanOrEqualTo(8ul * 1_024);
        end.Confirmation!.Position.ShouldBe((10ul * 1_024) + 300);

        // Where nothing of it is there, the whole log is what there is to know.
        await bench.Store.DeleteAsync([.. end.Pieces.SelectMany(KeysOf)], None);
        (await bench.Archive.ReadEndAsync(None)).From.ShouldBeNull();
    }

    private static async Task<LogBench> WithPiecesAsync(Codec codec, IObjectStore? store = null)
    {
        var bench = new LogBench(store ?? new MemoryObjectStore(), LogBench.Random(1, 1_400), codec, segmentBytes: 1_024);
        await using var writer = bench.Open();
        await writer.FlushToAsync(1_024);
        await writer.FlushToAsync(1_200);
        await writer.CompleteAsync();
        return bench;
    }

    private static IEnumerable<ObjectKey> KeysOf(LogPiece piece) =>
        piece.Codec == Codec.None ? [piece.Key, LogNames.SealKey(piece.Key)] : [piece.Key];

    private static async Task<string> DamageAsync(LogBench bench, LogPiece piece) =>
        (await Should.ThrowAsync<NotRestorableException>(() => bench.Archive.CopyAsync(piece, Stream.Null, None))).Message;

    /// <summary>Lets something happen between the pages of a listing: here, before its first entry under <c>tail/</c> and after all before it.</summary>
    private sealed class ListingStore(IObjectStore inner, Func<Task> between) : IObjectStore
    {
        public string Description => inner.Description;

        public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            inner.PutIfAbsentAsync(key, content, cancellationToken);

        public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            inner.ReplaceAsync(key, content, cancellationToken);

        public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.BeginUploadAsync(key, cancellationToken);

        public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) =>
            inner.OpenReadAsync(key, offset, length, cancellationToken);

        public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

        public async IAsyncEnumerable<ObjectInfo> ListAsync(
            string prefix, ObjectKey? startAfter, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            List<ObjectInfo> before = [];
            await foreach (var entry in inner.ListAsync(prefix, startAfter, cancellationToken))
            {
                if (!entry.Key.Value.Contains("/tail/", StringComparison.Ordinal))
                {
                    before.Add(entry);
                }
            }

            await between();
            foreach (var entry in before)
            {
                yield return entry;
            }

            await foreach (var entry in inner.ListAsync(prefix, startAfter, cancellationToken))
            {
                if (entry.Key.Value.Contains("/tail/", StringComparison.Ordinal))
                {
                    yield return entry;
                }
            }
        }

        public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => inner.DeleteAsync(keys, cancellationToken);
    }
}
