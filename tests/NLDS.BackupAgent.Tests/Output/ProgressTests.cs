using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Output;

public sealed class ProgressTests : IDisposable
{
    private readonly AgentUnderTest agent = new();
    private readonly ManualTime time = new(FakeSource.Day);

    public void Dispose() => agent.Dispose();

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(1048575, "1.0 MiB")]
    [InlineData(1610612736, "1.5 GiB")]
    public void Bytes_are_in_the_unit_that_people_read(double bytes, string expected) => Sizes.Bytes(bytes).ShouldBe(expected);

    [Theory]
    [InlineData(59.9, "59 s")]
    [InlineData(125, "2 min 5 s")]
    [InlineData(3660, "1 h 1 min")]
    [InlineData(273600, "3 d 4 h")]
    [InlineData(-5, "0 s")]
    public void Durations_are_in_the_two_largest_units(double seconds, string expected) => Sizes.Duration(TimeSpan.FromSeconds(seconds)).ShouldBe(expected);

    [Fact]
    public void A_line_says_how_much_how_fast_and_how_long_still()
    {
        ProgressLine.Of(new TransferProgress("base backup", 1 << 20, 4 << 20), TimeSpan.FromSeconds(2))
            .ShouldBe("base backup: 1.0 MiB of 4.0 MiB (25 %), 512.0 KiB/s, 6 s left");
        ProgressLine.Of(new TransferProgress("log", 10, null), TimeSpan.Zero).ShouldBe("log: 10 B, 0 B/s");
    }

    [Fact]
    public void In_a_log_there_is_a_line_every_ten_seconds()
    {
        var progress = new ConsoleProgress(agent.Surroundings with { Time = time });
        for (var second = 0; second <= 25; second++)
        {
            progress.Report(new TransferProgress("log", second << 20, null));
            time.Advance(TimeSpan.FromSeconds(1));
        }

        progress.End();

        agent.ErrorText.ReplaceLineEndings("\n").ShouldBe("log: 10.0 MiB, 1.0 MiB/s\nlog: 20.0 MiB, 1.0 MiB/s\n");
    }

    [Fact]
    public void On_a_terminal_the_line_rewrites_itself()
    {
        var progress = new ConsoleProgress(agent.Surroundings with { Time = time, IsTerminal = true });
        progress.Report(new TransferProgress("log", 0, null));
        time.Advance(TimeSpan.FromSeconds(1));
        progress.Report(new TransferProgress("log", 1 << 20, null));
        progress.End();

        agent.ErrorText.ShouldBe("\rlog: 1.0 MiB, 1.0 MiB/s\rlog: 1.0 MiB, 1.0 MiB/s" + Environment.NewLine);
    }
}
