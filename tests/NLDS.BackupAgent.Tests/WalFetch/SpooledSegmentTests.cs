using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;
using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent.Tests.WalFetch;

public sealed class SpooledSegmentTests : IAsyncLifetime
{
    private static readonly string Segment = FakeWal.Name(7);

    private readonly AgentUnderTest agent = new();
    private readonly TemporaryDirectory directory = new();
    private readonly ManualClock clock = new();
    private readonly Spool spool;

    public SpooledSegmentTests()
    {
        Directory.CreateDirectory(Delivered("."));
        var arguments = new WalFetchArguments(Segment, "pg_wal/RECOVERYXLOG", directory["spool"], null);
        spool = new Spool(directory["spool"], SpoolOwner.Of(arguments, agent.Place));
    }

    public async ValueTask InitializeAsync() => await spool.OwnAsync(clock, CancellationToken.None);

    public ValueTask DisposeAsync()
    {
        directory.Dispose();
        agent.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_segment_that_is_there_is_moved_to_where_the_server_wants_it()
    {
        await File.WriteAllTextAsync(spool.PathOf(Segment), "content");
        await File.WriteAllTextAsync(Delivered("RECOVERYXLOG"), "older");

        (await TryAsync()).ShouldBe(0);

        (await File.ReadAllTextAsync(Delivered("RECOVERYXLOG"))).ShouldBe("content");
        Directory.GetFiles(Delivered(".")).ShouldHaveSingleItem();
        spool.Segments().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_move_between_file_systems_is_whole_too()
    {
        var elsewhere = Directory.CreateDirectory($"/dev/shm/nlds-{Guid.NewGuid():n}");
        try
        {
            var far = new Spool(Path.Combine(elsewhere.FullName, "spool"), spool.Owner);
            await far.OwnAsync(clock, CancellationToken.None);
            await File.WriteAllTextAsync(far.PathOf(Segment), "content");

            (await TryAsync(spool: far.Directory)).ShouldBe(0);

            (await File.ReadAllTextAsync(Delivered("RECOVERYXLOG"))).ShouldBe("content");
            Directory.GetFiles(Delivered(".")).ShouldHaveSingleItem();
            far.Segments().ShouldBeEmpty();
        }
        finally
        {
            elsewhere.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task What_is_not_there_is_left_to_the_long_way() => (await TryAsync()).ShouldBeNull();

    [Theory]
    [InlineData("recovery")]
    [InlineData("00000002.history")]
    [InlineData("../000000010000000000000007")]
    [InlineData("00000001000000000000000a")]
    public async Task Only_segments_are_delivered(string file)
    {
        await File.WriteAllTextAsync(spool.PathOf(Path.GetFileName(file)), "content");

        (await TryAsync(file)).ShouldBeNull();

        File.Exists(Delivered("RECOVERYXLOG")).ShouldBeFalse();
    }

    [Fact]
    public async Task Nothing_of_another_repository_is_delivered()
    {
        await File.WriteAllTextAsync(spool.PathOf(Segment), "content");
        agent.Environment["Storage__S3__Prefix"] = "another";

        (await TryAsync()).ShouldBeNull();

        spool.Holds(Segment).ShouldBeTrue();
    }

    [Fact]
    public async Task Nothing_is_delivered_out_of_a_folder_that_others_can_write()
    {
        await File.WriteAllTextAsync(spool.PathOf(Segment), "content");
        File.SetUnixFileMode(spool.Directory, File.GetUnixFileMode(spool.Directory) | UnixFileMode.OtherWrite);

        (await TryAsync()).ShouldBeNull();

        File.Exists(Delivered("RECOVERYXLOG")).ShouldBeFalse();
    }

    [Fact]
    public async Task A_segment_on_its_way_is_awaited()
    {
        using var reader = spool.TryLock();
        var unfinished = spool.PathOf(Segment) + Spool.UnfinishedSuffix;
        await File.WriteAllTextAsync(unfinished, "content");
        var delivering = TryAsync();
        await clock.WaitForTimerAsync(TimeSpan.FromMilliseconds(5));
        File.Move(unfinished, spool.PathOf(Segment));

        (await clock.PassUntilAsync(delivering, TimeSpan.FromMilliseconds(5))).ShouldBe(0);
    }

    [Fact]
    public async Task A_segment_that_does_not_grow_any_more_is_not_awaited_for_ever()
    {
        using var reader = spool.TryLock();
        await File.WriteAllTextAsync(spool.PathOf(Segment) + Spool.UnfinishedSuffix, "cont");

        (await clock.PassUntilAsync(TryAsync(), TimeSpan.FromMilliseconds(5))).ShouldBeNull();
    }

    [Fact]
    public async Task What_a_killed_reader_left_unfinished_is_not_awaited()
    {
        await File.WriteAllTextAsync(spool.PathOf(Segment) + Spool.UnfinishedSuffix, "cont");

        (await TryAsync()).ShouldBeNull();
    }

    private string Delivered(string name) => Path.Combine(agent.Working, "pg_wal", name);

    private Task<int?> TryAsync(string? file = null, string? spool = null) => ShortWay.TryAsync(
        ["wal-fetch", "--spool", spool ?? this.spool.Directory, file ?? Segment, "pg_wal/RECOVERYXLOG"],
        () => agent.Place,
        clock).AsTask();
}
