using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent.Tests.WalFetch;

public sealed class WalFetchArgumentsTests
{
    [Theory]
    [InlineData("wal-fetch f p", null, null)]
    [InlineData("wal-fetch --spool /s f p", "/s", null)]
    [InlineData("wal-fetch f p --spool /s", "/s", null)]
    [InlineData("wal-fetch f --config c p --spool /s", "/s", "c")]
    [InlineData("--config c wal-fetch f p", null, "c")]
    public void The_ordinary_forms_are_read(string line, string? spool, string? config) =>
        WalFetchArguments.TryRead(line.Split(' ')).ShouldBe(new WalFetchArguments("f", "p", spool, config));

    [Theory]
    [InlineData("")]
    [InlineData("run")]
    [InlineData("restore f p")]
    [InlineData("wal-fetch")]
    [InlineData("wal-fetch f")]
    [InlineData("wal-fetch f p q")]
    [InlineData("wal-fetch f p --help")]
    [InlineData("wal-fetch f p --spool")]
    [InlineData("wal-fetch f p --config")]
    [InlineData("wal-fetch --spool=/s f p")]
    [InlineData("wal-fetch --spool /s --spool /t f p")]
    [InlineData("wal-fetch --config c --config d f p")]
    [InlineData("--spool /s wal-fetch f p")]
    [InlineData("wal-fetch -- f p")]
    public void Everything_else_is_left_to_the_command_line(string line) =>
        WalFetchArguments.TryRead(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ShouldBeNull();
}
