using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Repository.Verification;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Verification;

public sealed class LogVerifierTests
{
    private const int SegmentBytes = 4_096;

    private readonly LogBench bench = new(new MemoryObjectStore(), LogBench.Random(7, 8 * SegmentBytes), Codec.Zstd, SegmentBytes);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_source_sees_every_byte_once_and_in_order()
    {
        await WriteAsync((6 * SegmentBytes) + 500);
        var check = new Recorder();

        var log = await VerifyAsync(VerifyScope.All, (_, start) => check.From(start));

        log.Damage.ShouldBeEmpty();
        check.Content.ToArray().ShouldBe(bench.Content[..((6 * SegmentBytes) + 500)]);
        check.Begun.ShouldBe([0UL]);
    }

    [Fact]
    public async Task Behind_a_damaged_piece_the_source_begins_anew()
    {
        await WriteAsync(6 * SegmentBytes);
        var damaged = (await bench.Archive.ReadInventoryAsync(Cancelled)).Pieces.Single(p => p.Range.Start == 2 * SegmentBytes);
        await DamageAsync(damaged);
        var check = new Recorder();

        var log = await VerifyAsync(VerifyScope.All, (_, start) => check.From(start));

        log.Damage.ShouldHaveSingleItem().Piece.ShouldBe(damaged);
        check.Begun.ShouldBe([0UL, 3 * SegmentBytes]);
    }

    [Fact]
    public async Task What_the_source_finds_is_damage_of_the_piece_in_which_it_shows()
    {
        await WriteAsync(4 * SegmentBytes);

        var log = await VerifyAsync(VerifyScope.All, (_, start) => start == 0 ? new Recorder { FaultFrom = (2 * SegmentBytes) + 1 }.From(0) : new Recorder().From(start));

        log.Damage.ShouldHaveSingleItem().Piece.Range.Start.ShouldBe(2UL * SegmentBytes);
    }

    [Fact]
    public async Task Of_what_was_proven_only_the_piece_before_something_new_is_read_again()
    {
        await WriteAsync(3 * SegmentBytes);
        await VerifyAsync(VerifyScope.All);
        await WriteAsync(5 * SegmentBytes);
        var check = new Recorder();

        (await VerifyAsync(VerifyScope.New, (_, start) => check.From(start))).Damage.ShouldBeEmpty();

        check.Begun.ShouldBe([2UL * SegmentBytes]);
        check.Content.ToArray().ShouldBe(bench.Content[(2 * SegmentBytes)..(5 * SegmentBytes)]);
        var nothing = new Recorder();
        await VerifyAsync(VerifyScope.New, (_, start) => nothing.From(start));
        nothing.Begun.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_damaged_piece_loses_its_proof()
    {
        await WriteAsync(4 * SegmentBytes);
        await VerifyAsync(VerifyScope.All);
        var damaged = (await bench.Archive.ReadInventoryAsync(Cancelled)).Pieces.Single(p => p.Range.Start == SegmentBytes);
        await DamageAsync(damaged);

        (await VerifyAsync(VerifyScope.New)).Damage.ShouldBeEmpty("it is believed");
        (await VerifyAsync(VerifyScope.All)).Damage.ShouldHaveSingleItem();
        (await VerifyAsync(VerifyScope.New)).Damage.ShouldHaveSingleItem("it is believed no more");
    }

    [Fact]
    public async Task Two_objects_of_one_range_are_read_each_time()
    {
        await WriteAsync(2 * SegmentBytes);
        var twin = new LogBench(bench.Store, bench.Content, Codec.Gzip, SegmentBytes);
        await using (var writer = twin.Open())
        {
            await writer.FlushToAsync(SegmentBytes);
            await writer.CompleteAsync();
        }

        await VerifyAsync(VerifyScope.All);
        var check = new Recorder();
        await VerifyAsync(VerifyScope.New, (_, start) => check.From(start));

        check.Begun.ShouldBe([0UL]);
    }

    [Fact]
    public async Task Chunks_that_give_way_to_their_segment_while_the_log_is_read_are_no_damage()
    {
        await WriteAsync(SegmentBytes + 300);
        var listed = await bench.Archive.ReadInventoryAsync(Cancelled);
        await WriteAsync(3 * SegmentBytes);
        var check = new Recorder();

        // The listing is older than what is there now, as it always is beside a running agent.
        var run = Run(VerifyScope.All);
        var log = await Verifier().VerifyAsync(listed, 0, (_, start) => check.From(start), run, Cancelled);

        log.Damage.ShouldBeEmpty();
        log.Inventory.Cover(LogBench.Lineage, 0).End.ShouldBe(3UL * SegmentBytes);
        run.Report().ObjectsRead.ShouldBe(3);
    }

    [Fact]
    public async Task A_store_that_fails_breaks_off_and_what_was_read_before_is_not_lost_from_the_books()
    {
        await WriteAsync(6 * SegmentBytes);
        var faulty = new FaultyObjectStore(bench.Store);
        var archive = new LogBench(faulty, bench.Content, Codec.Zstd, SegmentBytes).Archive;
        var inventory = await archive.ReadInventoryAsync(Cancelled);
        faulty.FailWhen((call, operation) => operation == "get" && call > 6 ? Fault.Transient : null);
        var repository = new BackupRepository(faulty, new RepositoryOptions(), bench.Clock);

        await Should.ThrowAsync<ObjectStoreException>(() => new LogVerifier(repository, "source", archive).VerifyAsync(
            inventory, 0, (_, _) => null, Run(VerifyScope.All), Cancelled));
    }

    private async Task WriteAsync(int end)
    {
        await using var writer = await bench.ResumeAsync();
        await writer.FlushToAsync((ulong)end);
        await writer.CompleteAsync();
    }

    private async Task DamageAsync(LogPiece piece)
    {
        await using var source = await bench.Store.OpenReadAsync(piece.Key, 0, null, Cancelled);
        var content = new byte[piece.StoredBytes];
        await source.ReadExactlyAsync(content, Cancelled);
        content[10] ^= 1;
        await bench.Store.ReplaceAsync(piece.Key, content, Cancelled);
    }

    private LogVerifier Verifier() => new(new BackupRepository(bench.Store, new RepositoryOptions(), bench.Clock), "source", bench.Archive);

    private VerificationRun Run(VerifyScope scope) => new("source", scope, new Progress<TransferProgress>(), bench.Clock);

    private async Task<VerifiedLog> VerifyAsync(VerifyScope scope, Func<string, ulong, ILogCheck?>? begin = null) =>
        await Verifier().VerifyAsync(await bench.Archive.ReadInventoryAsync(Cancelled), 0, begin ?? ((_, _) => null), Run(scope), Cancelled);

    /// <summary>Keeps what it is fed, without what it has already.</summary>
    private sealed class Recorder : ILogCheck
    {
        private ulong position;

        public List<ulong> Begun { get; } = [];

        public MemoryStream Content { get; } = new();

        public ulong? FaultFrom { get; init; }

        public string? Fault => position >= FaultFrom ? "a place" : null;

        public Recorder From(ulong start)
        {
            Begun.Add(start);
            position = start;
            return this;
        }

        public void Feed(ulong at, ReadOnlySpan<byte> bytes)
        {
            var end = at + (ulong)bytes.Length;
            at.ShouldBeLessThanOrEqualTo(position);
            if (end > position)
            {
                Content.Write(bytes[(int)(position - at)..]);
                position = end;
            }
        }
    }
}
