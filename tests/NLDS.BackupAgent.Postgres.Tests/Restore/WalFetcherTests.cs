using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>PostgreSQL takes "absent" for the end of the log and promotes, so only what is certainly absent may be said to be.</summary>
public sealed class WalFetcherTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    private static readonly WalSegmentSize Size = new(1 << 20);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_whole_segment_is_delivered_without_a_listing()
    {
        using var directory = new TemporaryDirectory();
        var counting = new FaultyObjectStore(archive.Store);
        var listings = 0;
        counting.FailWhen((_, operation) =>
        {
            listings += operation == "list" ? 1 : 0;
            return null;
        });
        await using var agent = Agent.For(null, counting);
        var first = (await SegmentsAsync(agent))[0];
        listings = 0;

        (await agent.Fetcher.FetchAsync(first.Name, directory["RECOVERYXLOG"], Cancelled)).ShouldBeTrue();

        listings.ShouldBe(0);
        new FileInfo(directory["RECOVERYXLOG"]).Length.ShouldBe(1 << 20);
        Directory.GetFiles(directory.Path).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task The_open_segment_is_delivered_in_full_length_with_zeros_behind_its_end_and_what_follows_is_absent()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);
        var end = Lsn.Parse(archive.End);
        var last = WalSegment.Holding(end, 1, Size);

        (await agent.Fetcher.FetchAsync(last.Name, directory["last"], Cancelled)).ShouldBeTrue();
        (await agent.Fetcher.FetchAsync(last.Next.Name, directory["next"], Cancelled)).ShouldBeFalse();
        (await agent.Fetcher.FetchAsync(last.Next.Next.Name, directory["next"], Cancelled)).ShouldBeFalse();

        var content = await File.ReadAllBytesAsync(directory["last"], Cancelled);
        content.Length.ShouldBe(1 << 20);
        content.AsSpan(Size.OffsetOf(end)).ContainsAnyExcept((byte)0).ShouldBeFalse();
        File.Exists(directory["next"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_segment_that_is_missing_in_the_middle_is_a_failure()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var segments = await SegmentsAsync(agent);
        var middle = segments[segments.Count / 2];
        await store.RemoveAsync(new ObjectKey($"postgres/wal/{middle.Name}.zst"));

        (await FailedAsync(agent, middle.Name)).ShouldContain("later WAL of timeline 1 is there");
    }

    [Fact]
    public async Task An_end_that_was_durable_and_has_vanished_is_a_failure()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var last = WalSegment.Holding(Lsn.Parse(archive.End), 1, Size);
        foreach (var piece in (await agent.InventoryAsync()).Pieces.Where(p => p.Range.End > last.Start.Value))
        {
            await store.RemoveAsync(piece.Key);
        }

        (await FailedAsync(agent, last.Name)).ShouldContain("it was durable up to");
    }

    [Fact]
    public async Task A_segment_in_a_recorded_gap_is_a_failure_even_when_nothing_follows_yet()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var next = WalSegment.Holding(Lsn.Parse(archive.End), 1, Size).Next;
        await (await agent.LogAsync()).RecordGapAsync(
            new Repository.Log.LogGap("00000001", next.Start.Value, next.End.Value, "the slot was lost", TimeProvider.System.GetUtcNow()), Cancelled);

        (await FailedAsync(agent, next.Name)).ShouldContain("the slot was lost");
    }

    [Fact]
    public async Task A_damaged_segment_is_a_failure_and_nothing_is_delivered()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var name = (await SegmentsAsync(agent))[1].Name;
        await store.FlipAsync(new ObjectKey($"postgres/wal/{name}.zst"));

        (await FailedAsync(agent, name)).ShouldContain(name);
    }

    [Fact]
    public async Task No_failing_store_call_is_ever_an_absence()
    {
        var faulty = new FaultyObjectStore(archive.Store);
        await using var agent = Agent.For(null, faulty);
        var last = WalSegment.Holding(Lsn.Parse(archive.End), 1, Size);
        var first = (await SegmentsAsync(agent))[0];
        using var directory = new TemporaryDirectory();
        foreach (var file in (string[])[first.Name, last.Name, last.Next.Name, "00000002.history"])
        {
            faulty.FailWhen((_, _) => null);
            await FetchAsNewProcessAsync(file, "whole");
            var calls = faulty.Calls;
            for (var call = 1; call <= calls; call++)
            {
                faulty.FailCall(call, Fault.Transient);
                await Should.ThrowAsync<ObjectStoreException>(() => FetchAsNewProcessAsync(file, "file"), $"{file}, call {call} of {calls}");
                File.Exists(directory["file"]).ShouldBeFalse();
            }
        }

        async Task FetchAsNewProcessAsync(string file, string path)
        {
            await using var fresh = Agent.For(null, faulty);
            await fresh.Fetcher.FetchAsync(file, directory[path], Cancelled);
        }
    }

    [Fact]
    public async Task Histories_are_delivered_absent_or_missing()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        using var directory = new TemporaryDirectory();
        (await agent.Fetcher.FetchAsync("00000002.history", directory["history"], Cancelled)).ShouldBeFalse();
        var first = (await SegmentsAsync(agent))[0];
        await store.ReplaceAsync(
            new ObjectKey($"postgres/wal/00000002{first.Name[8..]}.zst"), await store.ReadAsync(new ObjectKey($"postgres/wal/{first.Name}.zst")), Cancelled);
        (await FailedAsync(agent, "00000002.history")).ShouldContain("WAL of its timeline is there");

        var content = "1\t0/3000000\tno recovery target specified\n"u8.ToArray();
        await (await agent.LogAsync()).PutFileAsync("00000002.history", content, Cancelled);
        (await agent.Fetcher.FetchAsync("00000002.history", directory["history"], Cancelled)).ShouldBeTrue();
        File.ReadAllBytes(directory["history"]).ShouldBe(content);
    }

    [Fact]
    public async Task What_is_never_stored_is_absent_and_what_is_no_name_is_a_mistake()
    {
        await using var agent = Agent.For(null, archive.Store);
        foreach (var name in (string[])["000000010000000000000003.partial", "000000010000000000000003.00000028.backup"])
        {
            (await agent.Fetcher.FetchAsync(name, "/nonexistent/file", Cancelled)).ShouldBeFalse(name);
        }

        foreach (var name in (string[])["", "%f", "00000001000000000000000", "0000000100000000FFFFFFFF", "../000000010000000000000003"])
        {
            (await Should.ThrowAsync<UsageException>(() => agent.Fetcher.FetchAsync(name, "/nonexistent/file", Cancelled), name)).Message.ShouldContain("%f %p");
        }
    }

    [Fact]
    public async Task Only_a_finished_segment_is_read_ahead_never_one_that_would_need_zeros()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);
        var first = (await SegmentsAsync(agent))[0];
        var open = WalSegment.Holding(Lsn.Parse(archive.End), 1, Size);

        (await agent.Fetcher.FetchWholeAsync(first.Name, directory["first"], Cancelled)).ShouldBeTrue();
        new FileInfo(directory["first"]).Length.ShouldBe(1 << 20);
        foreach (var other in (string[])[open.Name, open.Next.Name, "00000002.history", "%f"])
        {
            (await agent.Fetcher.FetchWholeAsync(other, directory["other"], Cancelled)).ShouldBeFalse(other);
        }

        Directory.GetFiles(directory.Path).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_damaged_segment_is_not_read_ahead()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        using var directory = new TemporaryDirectory();
        var name = (await SegmentsAsync(agent))[1].Name;
        await store.FlipAsync(new ObjectKey($"postgres/wal/{name}.zst"));

        (await Should.ThrowAsync<NotRestorableException>(() => agent.Fetcher.FetchWholeAsync(name, directory["file"], Cancelled))).Message.ShouldContain(name);

        Directory.GetFiles(directory.Path).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_follows_a_segment_is_as_much_as_there_is_room_for()
    {
        await using var agent = Agent.For(null, archive.Store);
        async Task<IReadOnlyList<string>> After(string file, long bytes) => await agent.Fetcher.FollowingAsync(file, bytes, Cancelled);

        (await After("000000020000000300000FFE", 3 << 20)).ShouldBe(["000000020000000300000FFF", "000000020000000400000000", "000000020000000400000001"]);
        (await After("000000020000000300000001", 0)).Count.ShouldBe(2);
        (await After("00000002.history", 3 << 20)).ShouldBeEmpty();
        (await After("000000020000000300001000", 3 << 20)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_server_of_another_cluster_gets_nothing()
    {
        await using var agent = Agent.For(null, archive.Store);
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["global"]);
        Directory.CreateDirectory(directory["pg_wal"]);
        await File.WriteAllBytesAsync(directory["global/pg_control"], BitConverter.GetBytes(4711UL), Cancelled);
        var name = (await SegmentsAsync(agent))[0].Name;

        (await Should.ThrowAsync<NotRestorableException>(() => agent.Fetcher.FetchAsync(name, directory["pg_wal/RECOVERYXLOG"], Cancelled))).Message.ShouldContain("4711");
        (await Should.ThrowAsync<NotRestorableException>(() => agent.Fetcher.FetchAsync(name, directory["spooled"], directory["pg_wal/RECOVERYXLOG"], Cancelled))).Message.ShouldContain("4711");
    }

    [Fact]
    public async Task A_store_that_lost_everything_after_a_first_file_is_no_end_of_the_log()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        using var directory = new TemporaryDirectory();
        var segments = await SegmentsAsync(agent);
        (await agent.Fetcher.FetchAsync(segments[0].Name, directory["first"], Cancelled)).ShouldBeTrue();
        var keys = new List<ObjectKey>();
        await foreach (var entry in store.ListAsync("", null, Cancelled))
        {
            keys.Add(entry.Key);
        }

        foreach (var key in keys)
        {
            await store.RemoveAsync(key);
        }

        foreach (var file in (string[])[segments[1].Name, "00000002.history", segments[1].Name + ".partial"])
        {
            (await FailedAsync(agent, file)).ShouldContain("There is no repository", customMessage: file);
        }
    }

    [Fact]
    public async Task A_repository_that_became_another_clusters_after_a_first_file_is_no_end_of_the_log()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        (await agent.Fetcher.FetchAsync("00000002.history", "/nonexistent/file", Cancelled)).ShouldBeFalse();
        var key = new ObjectKey("postgres/identity.json");
        var text = System.Text.Encoding.UTF8.GetString(await store.ReadAsync(key));
        await store.ReplaceAsync(key, ProvenJson.Prove(System.Text.RegularExpressions.Regex.Replace(text, "\"\\d{10,}\"", "\"4711\"")), Cancelled);

        (await FailedAsync(agent, "00000002.history")).ShouldContain("another cluster's");
    }

    [Fact]
    public async Task A_segment_of_another_cluster_is_not_delivered()
    {
        var store = await archive.CopyAsync();
        var key = new ObjectKey("postgres/identity.json");
        var text = System.Text.Encoding.UTF8.GetString(await store.ReadAsync(key));
        await store.ReplaceAsync(key, ProvenJson.Prove(System.Text.RegularExpressions.Regex.Replace(text, "\"\\d{10,}\"", "\"4711\"")), Cancelled);
        await using var agent = Agent.For(null, store);

        (await FailedAsync(agent, (await SegmentsAsync(agent))[0].Name)).ShouldContain("not of 4711");
    }

    private static async Task<List<WalSegment>> SegmentsAsync(Agent agent) =>
        [.. (await agent.InventoryAsync()).Pieces.Where(p => p.IsSegment).OrderBy(p => p.Range.Start).Select(p => WalSegment.Holding(new Lsn(p.Range.Start), 1, Size))];

    private static async Task<string> FailedAsync(Agent agent, string file)
    {
        using var directory = new TemporaryDirectory();
        var failure = await Should.ThrowAsync<NotRestorableException>(() => agent.Fetcher.FetchAsync(file, directory["file"], Cancelled));
        Directory.GetFiles(directory.Path).ShouldBeEmpty();
        return failure.Message;
    }
}
