using System.Text;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Encryption;

public sealed class EncryptedLogTests
{
    private const int SegmentBytes = 1_024;
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<Codec> Codecs => [Codec.Zstd, Codec.Gzip, Codec.None];

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Segments_and_chunks_are_encrypted_with_their_seals_and_come_back(Codec codec)
    {
        var bench = await WrittenAsync(codec);

        (await bench.RestoreAsync()).ShouldBe(bench.Content[..1_200]);
        (await bench.KeysAsync()).ShouldBe([
            $"source/log/A1_00000000{codec.Suffix()}.enc", "source/log/plain.json", $"source/log/tail/A1-0000000000000400-00000000000004b0{codec.Suffix()}.enc"]);
        var inventory = await bench.Archive.ReadInventoryAsync(None);
        inventory.Files.ShouldBeEmpty();
        foreach (var piece in inventory.Pieces)
        {
            (await bench.Store.ReadAllAsync(piece.Key, None)).AsSpan().IndexOf("contentSha256"u8).ShouldBe(-1);
            (await bench.Archive.FindSegmentAsync(LogBench.Lineage, 0, None))!.IsEncrypted.ShouldBeTrue();
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Every_flipped_byte_truncation_and_addition_of_a_piece_is_damage_that_is_named(Codec codec)
    {
        var bench = await WrittenAsync(codec);
        foreach (var piece in (await bench.Archive.ReadInventoryAsync(None)).Pieces)
        {
            var sound = await bench.Store.ReadAllAsync(piece.Key, None);
            for (var at = 0; at < sound.Length; at++)
            {
                var damaged = sound.ToArray();
                damaged[at] ^= 0x20;
                await RequireFoundAsync(bench, piece, damaged);
                await RequireFoundAsync(bench, piece, sound[..at]);
            }

            await RequireFoundAsync(bench, piece, [.. sound, 0]);
            await bench.Store.ReplaceAsync(piece.Key, sound, None);
        }

        (await bench.RestoreAsync()).ShouldBe(bench.Content[..1_200]);
    }

    [Fact]
    public async Task Pieces_and_their_boxes_cannot_change_places()
    {
        var bench = await WrittenAsync(Codec.Zstd, 2_500);
        var pieces = (await bench.Archive.ReadInventoryAsync(None)).Pieces.Where(p => p.IsSegment).ToList();
        var (one, other) = (await bench.Store.ReadAllAsync(pieces[0].Key, None), await bench.Store.ReadAllAsync(pieces[1].Key, None));

        await RequireFoundAsync(bench, pieces[0], other);
        var (oneBox, otherBox) = (BoxBytes(one), BoxBytes(other));
        await RequireFoundAsync(bench, pieces[0], [.. one[..^oneBox], .. other[^otherBox..]]);
        await RequireFoundAsync(bench, pieces[0], [.. other[..^otherBox], .. one[^oneBox..]]);
    }

    [Fact]
    public async Task A_seal_takes_one_read_of_an_objects_last_two_kilobytes()
    {
        var bench = await WrittenAsync(Codec.None);
        using var counting = new FaultyObjectStore(bench.Store);
        var archive = Archive(counting, TestKeys.First);
        var piece = (await bench.Archive.ReadInventoryAsync(None)).Pieces[0];
        counting.FailWhen((_, _) => null);

        (await archive.ReadSealAsync(piece, None)).End.ShouldBe(piece.Range.End);
        counting.Calls.ShouldBe(1);
        SealBox.Write(
            await archive.ReadSealAsync(piece, None) with { Lineage = new string('f', 40), Earliest = FakeObserver.Epoch, Latest = FakeObserver.Epoch, AsOf = FakeObserver.Epoch },
            TestKeys.Ring(TestKeys.First).Writing!,
            piece.Key).Length.ShouldBeLessThan(SealFrame.MaximumBytes);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task A_log_goes_on_where_it_was_unencrypted_and_is_compared_with_it(Codec codec)
    {
        var plain = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 4_000), codec, SegmentBytes);
        await WriteAsync(plain, 1_024, 1_500);
        var encrypted = new LogBench(plain.Store, plain.Content, codec, SegmentBytes, TestKeys.First);
        await encrypted.Archive.PrepareAsync(None);
        await using (var writer = await encrypted.ResumeAsync())
        {
            await writer.FlushToAsync(1_500);
            await writer.FlushToAsync(3_000);
            await writer.CompleteAsync();
        }

        (await encrypted.RestoreAsync()).ShouldBe(plain.Content[..3_000]);
        var inventory = await encrypted.Archive.ReadInventoryAsync(None);
        inventory.Strange.ShouldBeEmpty();
        inventory.Pieces.Where(p => p.IsSegment).Select(p => p.IsEncrypted).ShouldBe([false, true]);

        // A copy of the source with another log at the same positions meets what is there unencrypted.
        var store = Copy(plain.Store, except: "source/log/A1_00000001");
        var other = new LogBench(await store, [.. LogBench.Random(9, 4_000)], codec, SegmentBytes, TestKeys.First);
        await using var stranger = other.Open(0, (await other.Archive.ReadInventoryAsync(None)).Pieces);
        await Should.ThrowAsync<LogDivergedException>(() => stranger.FlushToAsync(1_024));
        (await other.KeysAsync()).ShouldNotContain(key => key.StartsWith("source/log/A1_00000000", StringComparison.Ordinal) && key.EndsWith(".enc", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Unencrypted_pieces_that_were_not_there_when_encryption_was_turned_on_are_never_read()
    {
        var plain = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 4_000), Codec.Zstd, SegmentBytes);
        await WriteAsync(plain, 1_024);
        var encrypted = new LogBench(plain.Store, plain.Content, Codec.Zstd, SegmentBytes, TestKeys.First);
        (await Should.ThrowAsync<NotRestorableException>(() => encrypted.Archive.ReadInventoryAsync(None))).Message.ShouldContain("source/log/plain.json");
        await encrypted.Archive.PrepareAsync(None);
        await using (var writer = await encrypted.ResumeAsync())
        {
            await writer.FlushToAsync(1_500);
            await writer.CompleteAsync();
        }

        // Whole in itself: the attacker's own log, from the same position on, and one on a lineage of its own.
        var forged = new LogBench(new MemoryObjectStore(), LogBench.Random(2, 4_000), Codec.Zstd, SegmentBytes);
        await WriteAsync(forged, 4_000);
        foreach (var key in (await forged.KeysAsync()).Where(key => key.EndsWith(".zst", StringComparison.Ordinal)))
        {
            var bytes = await forged.Store.ReadAllAsync(new ObjectKey(key), None);
            await plain.Store.PutIfAbsentAsync(new ObjectKey(key), bytes, None);
            await plain.Store.PutIfAbsentAsync(new ObjectKey(key.Replace("A1", "A2", StringComparison.Ordinal)), bytes, None);
        }

        var archive = Archive(plain.Store, TestKeys.First);
        var inventory = await archive.ReadInventoryAsync(None);
        inventory.Cover(LogBench.Lineage, 0).End.ShouldBe(1_500UL);
        inventory.Pieces.ShouldNotContain(piece => piece.Lineage == "A2");
        inventory.Strange.Count.ShouldBe(7);
        (await archive.FindSegmentAsync(LogBench.Lineage, 1_024, None)).ShouldBeNull();
        (await archive.FindSegmentAsync("A2", 0, None)).ShouldBeNull();
        (await archive.FindSegmentAsync(LogBench.Lineage, 0, None)).ShouldNotBeNull();

        await plain.Store.DeleteAsync([new ObjectKey("source/log/plain.json")], None);
        await Should.ThrowAsync<NotRestorableException>(() => Archive(plain.Store, TestKeys.First).ReadInventoryAsync(None));
    }

    [Fact]
    public async Task How_far_the_unencrypted_log_reaches_is_recorded_once()
    {
        var plain = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 4_000), Codec.Zstd, SegmentBytes);
        await WriteAsync(plain, 1_024);
        await Archive(plain.Store, TestKeys.First).PrepareAsync(None);
        await WriteAsync(plain, 2_048);
        await Archive(plain.Store, TestKeys.First).PrepareAsync(None);

        (await Archive(plain.Store, TestKeys.First).ReadInventoryAsync(None)).Strange.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Without_the_key_a_piece_is_listed_and_its_key_is_named()
    {
        var bench = await WrittenAsync(Codec.Zstd);
        var archive = Archive(bench.Store, null);
        var piece = (await archive.ReadInventoryAsync(None)).Pieces[0];

        foreach (var read in new Func<Task>[] { () => archive.ReadSealAsync(piece, None), () => archive.CopyAsync(piece, Stream.Null, None) })
        {
            (await Should.ThrowAsync<NotRestorableException>(read)).Message.ShouldBe(
                $"The object '{piece.Key}' is encrypted with key {TestKeys.Id(TestKeys.First)}, which is not configured: add it to Repository:Encryption:Key or KeyFile.");
        }
    }

    [Fact]
    public async Task A_rotated_key_goes_on_in_the_middle_of_a_segment()
    {
        var first = await WrittenAsync(Codec.Zstd);
        var both = new LogBench(first.Store, first.Content, Codec.Zstd, SegmentBytes, $"{TestKeys.Second} {TestKeys.First}");
        await using (var writer = await both.ResumeAsync())
        {
            await writer.FlushToAsync(1_200);
            await writer.FlushToAsync(2_000);
            await writer.CompleteAsync();
        }

        (await both.RestoreAsync()).ShouldBe(first.Content[..2_000]);
    }

    [Fact]
    public async Task A_file_beside_the_log_is_authenticated_and_still_checked_by_sha256sum()
    {
        var store = new MemoryObjectStore();
        var archive = Archive(store, TestKeys.First);
        await archive.PutFileAsync("2.history", "1\t0/3000000"u8.ToArray(), None);
        await archive.PutFileAsync("2.history", "1\t0/3000000"u8.ToArray(), None);
        (await archive.ReadFileAsync("2.history", None)).ShouldBe("1\t0/3000000"u8.ToArray());
        await Should.ThrowAsync<LogDivergedException>(() => archive.PutFileAsync("2.history", "1\t0/4000000"u8.ToArray(), None));

        using var directory = new TemporaryDirectory();
        foreach (var name in new[] { "2.history", "2.history.sha256" })
        {
            await File.WriteAllBytesAsync(directory[name], await store.ReadAllAsync(new ObjectKey("source/log/" + name), None), None);
        }

        Encoding.UTF8.GetString(await HandTools.RunAsync(directory.Path, "sha256sum -c 2.history.sha256")).ShouldBe("2.history: OK\n");

        var proof = new ObjectKey("source/log/2.history.sha256");
        var sound = await store.ReadAllAsync(proof, None);
        for (var at = 0; at < sound.Length; at++)
        {
            var damaged = sound.ToArray();
            damaged[at] ^= 1;
            await store.ReplaceAsync(proof, damaged, None);
            await Should.ThrowAsync<NotRestorableException>(() => archive.ReadFileAsync("2.history", None), $"byte {at}");
        }

        // Without the authenticator it is anybody's.
        await store.ReplaceAsync(proof, sound.AsMemory(0, 64 + 2 + "2.history\n".Length), None);
        await Should.ThrowAsync<NotRestorableException>(() => archive.ReadFileAsync("2.history", None));
        (await Archive(store, null).ReadFileAsync("2.history", None)).ShouldNotBeEmpty();
    }

    [Fact]
    public async Task The_confirmation_of_an_agent_without_the_key_is_as_good_as_none_and_a_forged_one_is_damage()
    {
        var bench = await WrittenAsync(Codec.Zstd);
        var name = new ObjectKey("source/log/tail/confirmed.json");
        await bench.Archive.ConfirmAsync(new LogConfirmation(LogBench.Lineage, 1_200, FakeObserver.Epoch), None);
        (await bench.Archive.ReadInventoryAsync(None)).Confirmation!.Position.ShouldBe(1_200UL);
        var text = Encoding.UTF8.GetString(await bench.Store.ReadAllAsync(name, None));
        await bench.Store.ReplaceAsync(name, ProvenJson.Prove($$"""{"lineage":"A1","position":99999,"asOf":"2026-01-01T00:00:00+00:00"}"""), None);
        (await Archive(bench.Store, TestKeys.First).ReadInventoryAsync(None)).Confirmation.ShouldBeNull();

        var lines = text.Replace("1200", "1201", StringComparison.Ordinal).Split('\n')[..^3];
        var forged = string.Concat(lines.Select(line => line + "\n"));
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(forged)));
        await bench.Store.ReplaceAsync(name, Encoding.UTF8.GetBytes($"{forged}  \"sha256\": \"{hash}\"\n}}\n"), None);
        (await Should.ThrowAsync<NotRestorableException>(() => Archive(bench.Store, TestKeys.First).ReadInventoryAsync(None))).Message.ShouldContain("was not written by a holder of key");
    }

    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.LostAnswer)]
    public async Task After_any_call_that_fails_nothing_acknowledged_is_lost_and_the_next_writer_completes_the_log(Fault fault)
    {
        var content = LogBench.Random(5, 2_600);
        for (var (failing, calls) = (1, int.MaxValue); failing <= calls; failing++)
        {
            using var faulty = new FaultyObjectStore(new MemoryObjectStore());
            var bench = new LogBench(faulty, content, Codec.Zstd, SegmentBytes, TestKeys.First);
            faulty.FailCall(failing, fault);
            ulong acknowledged = 0;
            try
            {
                await bench.Archive.PrepareAsync(None);
                await using var writer = bench.Open();
                try
                {
                    await writer.FlushToAsync(700);
                    await writer.FlushToAsync(1_500);
                    await writer.CompleteAsync();
                    calls = faulty.Calls;
                }
                finally
                {
                    acknowledged = writer.Acknowledged;
                }
            }
            catch (ObjectStoreException)
            {
            }

            faulty.FailWhen((_, _) => null);
            await bench.Archive.PrepareAsync(None);
            var held = await bench.RestoreAsync();
            ((ulong)held.Length).ShouldBeGreaterThanOrEqualTo(acknowledged, $"call {failing}");
            held.ShouldBe(content[..held.Length]);
            await using var next = await bench.ResumeAsync();
            await next.FlushToAsync(2_600);
            await next.CompleteAsync();
            (await bench.RestoreAsync()).ShouldBe(content, $"call {failing}");
        }
    }

    private static async Task<LogBench> WrittenAsync(Codec codec, ulong end = 1_200)
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 4_000), codec, SegmentBytes, TestKeys.First);
        await bench.Archive.PrepareAsync(None);
        await WriteAsync(bench, 1_024, end);
        return bench;
    }

    private static async Task WriteAsync(LogBench bench, params ulong[] ends)
    {
        await using var writer = bench.Open();
        foreach (var end in ends)
        {
            await writer.FlushToAsync(end);
        }

        await writer.CompleteAsync();
    }

    private static LogArchive Archive(IObjectStore store, string? keys) =>
        new(store, "source/log", new FixedNaming(SegmentBytes), Codec.Zstd, 3, new DocumentStore(store, Keyring.Parse(keys, out _)));

    private static async Task<MemoryObjectStore> Copy(IObjectStore from, string except)
    {
        var copy = new MemoryObjectStore();
        await foreach (var entry in from.ListAsync("", null, None))
        {
            if (!entry.Key.Value.StartsWith(except, StringComparison.Ordinal))
            {
                await copy.PutIfAbsentAsync(entry.Key, await from.ReadAllAsync(entry.Key, None), None);
            }
        }

        return copy;
    }

    private static int BoxBytes(byte[] stored) => System.Buffers.Binary.BinaryPrimitives.ReadInt32LittleEndian(stored.AsSpan(stored.Length - 16)) + 16;

    private static async Task RequireFoundAsync(LogBench bench, LogPiece piece, byte[] damaged)
    {
        await bench.Store.ReplaceAsync(piece.Key, damaged, None);
        foreach (var listed in new[] { piece, piece with { StoredBytes = damaged.Length } })
        {
            // A longer object that was listed before is read as what it was: nothing of it is lost.
            if (listed.StoredBytes < damaged.Length)
            {
                continue;
            }

            (await Should.ThrowAsync<NotRestorableException>(() => bench.Archive.CopyAsync(listed, Stream.Null, None))).Message.ShouldContain(piece.Key.Value);
        }
    }
}
