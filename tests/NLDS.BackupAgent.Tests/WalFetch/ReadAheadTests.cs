using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;
using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent.Tests.WalFetch;

/// <summary>The server is played by the test: it takes files out of the spool, as mv does, or asks for one that is not there.</summary>
public sealed class ReadAheadTests : IAsyncLifetime
{
    /// <summary>What 128 MiB hold.</summary>
    private const int Window = 8;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    private readonly TemporaryDirectory directory = new();
    private readonly ManualClock clock = new();
    private readonly CancellationTokenSource stop = new();
    private readonly Spool spool;
    private Task<string> reading = Task.FromResult("");

    public ReadAheadTests()
    {
        Directory.CreateDirectory(directory["pg_wal"]);
        spool = new Spool(directory["spool"], new SpoolOwner(directory["pg_wal"], "one"));
    }

    public async ValueTask InitializeAsync() => await spool.OwnAsync(clock, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task A_full_window_is_kept_however_much_the_server_takes()
    {
        var wal = new FakeWal { End = 100 };
        Start(wal, asked: 4);
        await StockedAsync(5, Window);

        Take(5, 6, 7);

        await StockedAsync(8, Window);
        wal.Fetched.Count.ShouldBe(Window + 3);
        wal.MostAtOnce.ShouldBeLessThanOrEqualTo(4);
    }

    [Theory]
    [InlineData(1 << 20, 32)]
    [InlineData(16 << 20, 8)]
    [InlineData(64 << 20, 2)]
    [InlineData(1 << 30, 2)]
    public async Task The_window_is_bounded_for_every_size_of_segments(int segmentBytes, int segments)
    {
        Start(new FakeWal { End = 1000, SegmentBytes = segmentBytes }, asked: 0);

        await StockedAsync(1, segments);
    }

    [Fact]
    public async Task A_server_that_asks_for_another_segment_is_followed_there()
    {
        Start(new FakeWal { End = 100 }, asked: 40);
        await StockedAsync(41, Window);

        // After the checkpoint's record recovery goes back to where the checkpoint began.
        spool.Ask(FakeWal.Name(37));
        await StockedAsync(38, Window);

        spool.Ask(FakeWal.Name(41, timeline: 2));
        await StockedAsync(42, Window, timeline: 2);
    }

    [Fact]
    public async Task At_the_end_of_the_archive_it_stays_to_answer_and_finds_what_was_added()
    {
        var wal = new FakeWal { End = 4 };
        Start(wal, asked: 1);
        await StockedAsync(2, 2);

        // What has become whole meanwhile is found, although its absence was seen before.
        wal.End = 5;
        Take(2, 3);
        await StockedAsync(4, 1);
        Take(4);
        wal.Content = _ => null;
        (await AskAsync(FakeWal.Name(5))).ShouldBe(1);
        (wal.End, wal.Content) = (7, null);
        (await AskAsync(FakeWal.Name(5))).ShouldBe(0);
        await StockedAsync(6, 1);

        clock.Advance(TimeSpan.FromMinutes(1));
        (await EndAsync()).ShouldContain("The archive does not hold");
        ShouldBeEmpty();
    }

    [Fact]
    public async Task What_is_not_read_ahead_is_answered_as_the_servers_own_command_would()
    {
        var wal = new FakeWal { End = 100, Content = file => file == "00000003.history" ? null : $"all of {file}" };
        Start(wal, asked: 0);
        await StockedAsync(1, Window);

        var history = spool.Questions.Ask("00000002.history", directory["pg_wal/RECOVERYHISTORY"]);
        (await AnswerAsync(history)).ShouldBe(0);
        (await File.ReadAllTextAsync(spool.Questions.ContentOf(history))).ShouldBe("all of 00000002.history");
        (await AskAsync("00000003.history")).ShouldBe(1);
        await StockedAsync(1, Window);
        (await AskAsync(FakeWal.Name(40))).ShouldBe(0);
        await StockedAsync(41, Window);
    }

    [Fact]
    public async Task A_segment_that_is_on_its_way_already_is_not_fetched_twice()
    {
        var arrived = new TaskCompletionSource();
        var wal = new FakeWal { End = 100, BeforeFetch = segment => segment == FakeWal.Name(2) ? arrived.Task : Task.CompletedTask };
        Start(wal, asked: 0);
        await UntilAsync(() => spool.Segments().Count == Window - 1);
        var question = spool.Questions.Ask(FakeWal.Name(2), directory["pg_wal/RECOVERYXLOG"]);
        await UntilAsync(() => spool.Questions.IsTaken(question));
        arrived.SetResult();

        (await AnswerAsync(question)).ShouldBe(0);

        (await File.ReadAllTextAsync(spool.Questions.ContentOf(question))).ShouldBe(FakeWal.Name(2));
        wal.Fetched.Count(segment => segment == FakeWal.Name(2)).ShouldBe(1);
    }

    [Fact]
    public async Task What_it_cannot_fetch_it_leaves_to_who_asked()
    {
        Start(new FakeWal { End = 100, Content = _ => throw new IOException("no luck") }, asked: 0);

        (await AskAsync("00000002.history")).ShouldBe(255);
        await StockedAsync(1, Window);
    }

    /// <summary>Absent in this repository may well be there in the one that was meant.</summary>
    [Theory]
    [InlineData("pg_wal", "another")]
    [InlineData("elsewhere", "one")]
    public async Task A_question_that_was_meant_for_the_reader_of_another_is_not_answered(string folder, string configuration)
    {
        Start(new FakeWal { End = 100, Content = _ => null }, asked: 0);
        var question = new SpoolQuestions(spool.Directory, new SpoolOwner(directory[folder], configuration)).Ask("00000002.history", directory[$"{folder}/RECOVERYHISTORY"]);

        (await AnswerAsync(question)).ShouldBe(255);
        (await AskAsync("00000002.history")).ShouldBe(1);
    }

    [Fact]
    public async Task What_killed_commands_left_half_written_keeps_nobody_waiting()
    {
        for (var i = 0; i < 8; i++)
        {
            await File.WriteAllTextAsync(Path.Combine(spool.Directory, $"question.{i}{Spool.UnfinishedSuffix}"), "0000");
        }

        await File.WriteAllTextAsync(Path.Combine(spool.Directory, "question.0"), "");
        Start(new FakeWal { End = 100, Content = _ => null }, asked: 0);

        (await AskAsync("00000002.history")).ShouldBe(1);
    }

    [Fact]
    public async Task An_answer_that_nobody_takes_is_removed()
    {
        Start(new FakeWal { End = 100, Content = file => file }, asked: 0);
        var question = spool.Questions.Ask("00000002.history", directory["pg_wal/RECOVERYHISTORY"]);
        await AnswerAsync(question);
        clock.Advance(TimeSpan.FromSeconds(50));
        await StockedAsync(1, Window);
        Take(1);
        await StockedAsync(2, Window);
        clock.Advance(TimeSpan.FromSeconds(50));
        Take(2);
        await StockedAsync(3, Window);
        clock.Advance(TimeSpan.FromSeconds(50));

        await UntilAsync(() => !File.Exists(spool.Questions.ContentOf(question)) && spool.Questions.AnswerTo(question) is null);
        reading.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task It_ends_with_the_servers_recovery()
    {
        await File.WriteAllTextAsync(directory["standby.signal"], "");
        Start(new FakeWal { End = 100 }, asked: 0);
        await StockedAsync(1, Window);
        File.Delete(directory["standby.signal"]);
        await Look1Async();
        reading.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(2));

        (await EndAsync()).ShouldContain("ended its recovery");
        ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failure_ends_it_when_what_came_before_was_taken_and_nothing_is_tried_again()
    {
        var wal = new FakeWal { End = 100, BeforeFetch = segment => segment == FakeWal.Name(3) ? throw new IOException("it is damaged") : Task.CompletedTask };
        Start(wal, asked: 0);
        await UntilAsync(() => spool.Holds(FakeWal.Name(1)) && spool.Holds(FakeWal.Name(2)) && wal.Fetched.Contains(FakeWal.Name(3)));
        await TakeAllAsync();

        (await EndAsync()).ShouldContain("it is damaged");
        wal.Fetched.Count(segment => segment == FakeWal.Name(3)).ShouldBe(1);
        ShouldBeEmpty();
    }

    [Fact]
    public async Task It_ends_and_leaves_nothing_when_the_server_asks_for_nothing_in_a_minute()
    {
        Start(new FakeWal { End = 100 }, asked: 0);
        await StockedAsync(1, Window);
        clock.Advance(TimeSpan.FromSeconds(50));
        await Look1Async();
        Take(1);
        await StockedAsync(2, Window);
        clock.Advance(TimeSpan.FromSeconds(50));
        await Look1Async();
        reading.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(10));

        (await EndAsync()).ShouldContain("60 s");
        ShouldBeEmpty();
        spool.IsBeingFilled().ShouldBeFalse();
    }

    [Fact]
    public async Task It_ends_when_the_servers_directory_is_gone()
    {
        Start(new FakeWal { End = 100 }, asked: 0);
        await StockedAsync(1, Window);
        Directory.Delete(directory["pg_wal"]);

        (await EndAsync()).ShouldContain("is gone");
        ShouldBeEmpty();
    }

    [Fact]
    public async Task What_is_underway_when_it_is_stopped_is_given_up_and_removed()
    {
        Start(new FakeWal { End = 100, BeforeFetch = segment => segment == FakeWal.Name(1) ? Task.CompletedTask : Task.Delay(Timeout.InfiniteTimeSpan, clock, stop.Token) }, asked: 0);
        await StockedAsync(1, 1);
        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(reading);
        ShouldBeEmpty();
    }

    [Fact]
    public async Task What_a_killed_one_left_is_used_where_it_is_wanted_and_removed_where_not()
    {
        foreach (var left in (string[])[FakeWal.Name(1), FakeWal.Name(6), FakeWal.Name(7, timeline: 2)])
        {
            await File.WriteAllTextAsync(spool.PathOf(left), left);
        }

        var wal = new FakeWal { End = 100 };
        Start(wal, asked: 4);

        await StockedAsync(5, Window);
        wal.Fetched.ShouldNotContain(FakeWal.Name(6));
    }

    [Fact]
    public async Task It_leaves_when_the_same_server_comes_with_another_configuration()
    {
        Start(new FakeWal { End = 100 }, asked: 0);
        await StockedAsync(1, Window);
        var changed = new Spool(spool.Directory, spool.Owner with { Configuration = "two" });

        var owning = changed.OwnAsync(clock, CancellationToken.None);
        await UntilAsync(() => owning.IsCompleted);
        await owning;

        (await reading).ShouldContain("another's");
        changed.Segments().ShouldBeEmpty();
        changed.IsOwned.ShouldBeTrue();
        spool.IsOwned.ShouldBeFalse();
    }

    [Fact]
    public async Task A_spool_that_is_in_use_for_one_server_is_refused_to_another()
    {
        Start(new FakeWal { End = 100 }, asked: 0);
        await StockedAsync(1, Window);
        var other = new Spool(spool.Directory, spool.Owner with { Directory = "/elsewhere/pg_wal" });

        (await Should.ThrowAsync<Repository.Sources.UsageException>(() => other.OwnAsync(clock, CancellationToken.None))).Message.ShouldContain(directory["pg_wal"]);
        await StockedAsync(1, Window);
    }

    private void Start(FakeWal wal, int asked)
    {
        spool.Ask(FakeWal.Name(asked));
        reading = ReadAsync(wal);
    }

    private async Task<string> ReadAsync(FakeWal wal)
    {
        using var mine = spool.TryLock();
        mine.ShouldNotBeNull();
        return await new ReadAhead(wal, spool, clock).RunAsync(stop.Token);
    }

    private async Task<int> AskAsync(string file)
    {
        var question = spool.Questions.Ask(file, directory["pg_wal/RECOVERYXLOG"]);
        var answer = await AnswerAsync(question);
        spool.Questions.Forget(question);
        return answer;
    }

    private async Task<int> AnswerAsync(SpoolQuestion question)
    {
        await UntilAsync(() => spool.Questions.AnswerTo(question) is not null);
        return spool.Questions.AnswerTo(question)!.Value;
    }

    private void Take(params int[] segments)
    {
        foreach (var segment in segments)
        {
            File.Move(spool.PathOf(FakeWal.Name(segment)), directory["taken"], overwrite: true);
        }
    }

    private Task TakeAllAsync() => UntilAsync(() =>
    {
        spool.Segments().ToList().ForEach(spool.Remove);
        return reading.IsCompleted;
    });

    /// <summary>Exactly these are there, and it stays so.</summary>
    private async Task StockedAsync(int first, int count, int timeline = 1)
    {
        var expected = Enumerable.Range(first, count).Select(number => FakeWal.Name(number, timeline)).ToHashSet();
        await UntilAsync(() => spool.Segments().SetEquals(expected));
        await Look1Async();
        await Look1Async();
        spool.Segments().ShouldBe(expected, ignoreOrder: true);
    }

    private async Task<string> EndAsync()
    {
        await UntilAsync(() => reading.IsCompleted);
        return await reading;
    }

    private void ShouldBeEmpty() =>
        Directory.GetFiles(spool.Directory).Select(Path.GetFileName).ShouldBe(["lock", "recovery"], ignoreOrder: true);

    /// <summary>Lets the reader look as often as it takes.</summary>
    private Task UntilAsync(Func<bool> condition) => Eventually.TrueAsync(
        () =>
        {
            if (condition())
            {
                return true;
            }

            clock.Advance(Look);
            return condition();
        },
        "the reader has done its work",
        details: () => $"In the spool: {string.Join(", ", spool.Segments().Order())}");

    private async Task Look1Async()
    {
        await clock.WaitForTimerAsync(Look);
        clock.Advance(Look);
        await clock.WaitForTimerAsync(Look);
    }
}
