using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;
using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent.Tests.WalFetch;

/// <summary>The reader is played by the test.</summary>
public sealed class AskedReaderTests : IAsyncLifetime
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    private readonly AgentUnderTest agent = new();
    private readonly TemporaryDirectory directory = new();
    private readonly ManualClock clock = new();
    private readonly Spool spool;

    public AskedReaderTests()
    {
        Directory.CreateDirectory(Path.Combine(agent.Working, "pg_wal"));
        spool = new Spool(directory["spool"], SpoolOwner.Of(new WalFetchArguments("", "pg_wal/RECOVERYXLOG", directory["spool"], null), agent.Place));
    }

    private string Delivered => Path.Combine(agent.Working, "pg_wal", "RECOVERYXLOG");

    public async ValueTask InitializeAsync() => await spool.OwnAsync(clock, CancellationToken.None);

    public ValueTask DisposeAsync()
    {
        directory.Dispose();
        agent.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("00000002.history")]
    [InlineData("000000010000000000000007")]
    public async Task What_the_reader_has_is_moved_to_where_the_server_wants_it(string file)
    {
        using var reader = spool.TryLock();
        var asking = TryAsync(file);
        var question = await TakeAsync();
        question.File.ShouldBe(file);
        question.ServerPath.ShouldBe(Delivered);
        await File.WriteAllTextAsync(spool.Questions.ContentOf(question), "content");
        spool.Questions.Answer(question, 0);

        (await clock.PassUntilAsync(asking, Look)).ShouldBe(0);

        (await File.ReadAllTextAsync(Delivered)).ShouldBe("content");
        ShouldLeaveNothing();
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(255, null)]
    [InlineData(2, null)]
    public async Task Absent_is_said_only_when_the_reader_says_it(int said, int? expected)
    {
        using var reader = spool.TryLock();
        var asking = TryAsync("00000002.history");
        spool.Questions.Answer(await TakeAsync(), said);

        (await clock.PassUntilAsync(asking, Look)).ShouldBe(expected);

        File.Exists(Delivered).ShouldBeFalse();
        ShouldLeaveNothing();
    }

    [Fact]
    public async Task An_answer_that_is_no_number_is_left_to_the_long_way()
    {
        using var reader = spool.TryLock();
        var asking = TryAsync("00000002.history");
        await File.WriteAllTextAsync(spool.Questions.ContentOf(await TakeAsync()).Replace("content.", "answer.", StringComparison.Ordinal), "99999999999");

        (await clock.PassUntilAsync(asking, Look)).ShouldBeNull();
        ShouldLeaveNothing();
    }

    [Fact]
    public async Task An_answer_without_its_content_is_left_to_the_long_way()
    {
        using var reader = spool.TryLock();
        var asking = TryAsync("00000002.history");
        spool.Questions.Answer(await TakeAsync(), 0);

        (await clock.PassUntilAsync(asking, Look)).ShouldBeNull();
        ShouldLeaveNothing();
    }

    [Fact]
    public async Task Nobody_is_asked_where_nobody_reads_ahead()
    {
        (await TryAsync("00000002.history")).ShouldBeNull();
        ShouldLeaveNothing();
    }

    [Fact]
    public async Task A_reader_that_dies_leaves_the_answer_to_the_long_way()
    {
        var reader = spool.TryLock()!;
        var asking = TryAsync("00000002.history");
        await TakeAsync();
        reader.Dispose();

        (await clock.PassUntilAsync(asking, Look)).ShouldBeNull();
        ShouldLeaveNothing();
    }

    [Fact]
    public async Task A_reader_that_hangs_before_or_after_it_took_the_question_is_not_awaited_for_ever()
    {
        using var reader = spool.TryLock();
        (await clock.PassUntilAsync(TryAsync("00000002.history"), TimeSpan.FromSeconds(1))).ShouldBeNull();
        var asking = TryAsync("00000002.history");
        await TakeAsync();

        (await clock.PassUntilAsync(asking, TimeSpan.FromSeconds(1))).ShouldBeNull();
        ShouldLeaveNothing();
    }

    [Fact]
    public async Task A_name_of_several_lines_is_not_asked_for()
    {
        using var reader = spool.TryLock();

        (await TryAsync("00000002.history\n/elsewhere")).ShouldBeNull();
        ShouldLeaveNothing();
    }

    private async Task<SpoolQuestion> TakeAsync()
    {
        var taken = new List<SpoolQuestion>();
        await Eventually.TrueAsync(
            () =>
            {
                taken.AddRange(spool.Questions.Take(1));
                return taken.Count > 0;
            },
            "a question is there");
        return taken[0];
    }

    private void ShouldLeaveNothing() =>
        Directory.GetFiles(spool.Directory).Select(Path.GetFileName).ShouldBeSubsetOf(["lock", "recovery"]);

    private Task<int?> TryAsync(string file) =>
        ShortWay.TryAsync(["wal-fetch", "--spool", spool.Directory, file, "pg_wal/RECOVERYXLOG"], () => agent.Place, clock).AsTask();
}
