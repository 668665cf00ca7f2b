using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Commands;

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
}
