using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Tests.Fakes;
using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent.Tests.WalFetch;

/// <summary>PostgreSQL promotes on any exit code from 1 to 125, so only a certain absence may be 1.</summary>
public sealed class WalFetchTests : IDisposable
{
    private readonly AgentUnderTest agent = new();

    public void Dispose() => agent.Dispose();

    [Fact]
    public async Task Delivered_is_0_and_absent_is_1()
    {
        (await agent.RunAsync("wal-fetch", "000000010000000000000001", "p")).Exit.ShouldBe(0);
        agent.Source.Fetch = _ => false;
        (await agent.RunAsync("wal-fetch", "00000002.history", "p")).Exit.ShouldBe(1);
    }

    [Theory]
    [InlineData("wal-fetch")]
    [InlineData("wal-fetch one")]
    [InlineData("wal-fetch one two three")]
    [InlineData("wal-fetch --bogus one two")]
    [InlineData("wal-fetch one two --config absent.json")]
    [InlineData("--config absent.json wal-fetch one two")]
    public async Task Wrong_usage_is_255(string line) => (await agent.RunAsync(line.Split(' '))).Exit.ShouldBe(255);

    [Fact]
    public async Task A_faulty_configuration_is_255()
    {
        agent.Environment["Postgres__Hots"] = "x";

        (await agent.RunAsync("wal-fetch", "f", "p")).Exit.ShouldBe(255);
    }

    [Fact]
    public async Task Every_exception_is_255()
    {
        Exception[] exceptions =
        [
            new SourceException("x", isPermanent: true), new ObjectStoreException("x", isPermanent: false), new NotRestorableException("x"),
            new UsageException("x"), new InvalidOperationException("x"), new OperationCanceledException(), new IOException("disk full"),
        ];
        foreach (var exception in exceptions)
        {
            agent.Source.Broken = exception;
            (await agent.RunAsync("wal-fetch", "f", "p")).Exit.ShouldBe(255, exception.GetType().Name);
        }
    }

    [Fact]
    public async Task One_reader_is_started_for_what_follows()
    {
        (await FetchAsync(FakeWal.Name(3))).ShouldBe(0);

        agent.Started.ShouldHaveSingleItem().ShouldBe(["wal-read-ahead", "pg_wal/p", "--spool", Spool.Directory]);
        Spool.Asked.ShouldBe(FakeWal.Name(3));
        using (Spool.TryLock())
        {
            await FetchAsync(FakeWal.Name(5));
        }

        agent.Started.Count.ShouldBe(1);
        Spool.Asked.ShouldBe(FakeWal.Name(5));
    }

    [Fact]
    public async Task The_reader_is_started_before_anything_is_fetched_so_that_it_is_up_when_the_next_is_asked_for()
    {
        var before = -1;
        agent.Source.Fetch = _ =>
        {
            before = agent.Started.Count;
            return false;
        };

        (await FetchAsync("00000002.history")).ShouldBe(1);

        before.ShouldBe(1);
        Spool.Asked.ShouldBeNull();
    }

    /// <summary>The server asks for a last history when it has removed its signal file.</summary>
    [Fact]
    public async Task No_reader_is_started_for_a_server_that_has_ended_its_recovery()
    {
        Directory.CreateDirectory(Path.Combine(agent.Working, "global"));
        agent.Write("global/pg_control", "");
        await FetchAsync("00000001.history");
        agent.Started.ShouldBeEmpty();

        agent.Write("recovery.signal", "");
        await FetchAsync("00000001.history");
        agent.Started.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_second_reader_does_nothing()
    {
        await FetchAsync(FakeWal.Name(3));
        agent.Source.Wal.End = 10;
        using (Spool.TryLock())
        {
            (await agent.RunAsync("wal-read-ahead", "pg_wal/p", "--spool", Spool.Directory)).Exit.ShouldBe(0);
        }

        agent.Source.Wal.Fetched.ShouldBeEmpty();
        File.Exists(Spool.LogFile).ShouldBeFalse();
    }

    [Fact]
    public async Task A_spool_that_was_named_and_cannot_be_used_is_255_before_anything_is_delivered()
    {
        var fetched = 0;
        agent.Source.Fetch = _ => ++fetched > 0;
        Directory.CreateDirectory(Spool.Directory, (UnixFileMode)0b111_111_111);
        File.SetUnixFileMode(Spool.Directory, (UnixFileMode)0b111_111_111);
        (await FetchAsync(FakeWal.Name(3))).ShouldBe(255);
        agent.ErrorText.ShouldContain("mode to 0700");
        (await agent.RunAsync("wal-fetch", "--spool", "relative", FakeWal.Name(3), "p")).Exit.ShouldBe(255);
        agent.ErrorText.ShouldContain("absolute");
        agent.Write("file", "");
        (await agent.RunAsync("wal-fetch", "--spool", Path.Combine(agent.Working, "file"), FakeWal.Name(3), "p")).Exit.ShouldBe(255);

        fetched.ShouldBe(0);
    }

    [Fact]
    public async Task A_reader_that_fails_is_no_crash_to_a_server_that_has_adopted_it()
    {
        await FetchAsync(FakeWal.Name(3));
        agent.Source.Wal.BeforeFetch = _ => throw new IOException("no luck");
        agent.Source.Wal.End = 10;

        (await agent.RunAsync("wal-read-ahead", "pg_wal/p", "--spool", Spool.Directory)).Exit.ShouldBe(0);
        (await File.ReadAllTextAsync(Spool.LogFile)).ShouldContain("no luck");
        agent.Environment["Postgres__Hots"] = "x";
        (await agent.RunAsync("wal-read-ahead", "pg_wal/p", "--spool", Spool.Directory)).Exit.ShouldBe(0);
        (await File.ReadAllTextAsync(Spool.LogFile)).ShouldContain("Hots");
    }

    private Spool Spool => Spool.For(new WalFetchArguments("", "pg_wal/p", Path.Combine(agent.Working, "spool"), null), agent.Place);

    private async Task<int> FetchAsync(string file)
    {
        Directory.CreateDirectory(Path.Combine(agent.Working, "pg_wal"));
        return (await agent.RunAsync("wal-fetch", file, "pg_wal/p", "--spool", Spool.Directory)).Exit;
    }
}
