using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Commands;

/// <summary>What cannot be meant by the forms of <c>restore</c> that belong to a server's start.</summary>
public sealed class BootstrapVerbTests
{
    [Theory]
    [InlineData("exclude each other", "--if-empty", "--at-next-start")]
    [InlineData("exclude each other", "--withdraw", "--at-next-start")]
    [InlineData("--as-copy belongs to --if-empty", "--as-copy")]
    [InlineData("--as-copy belongs to --if-empty", "--as-copy", "--withdraw")]
    [InlineData("is not restored into a server's data directory", "--if-empty")]
    public async Task It_is_said_what_to_write_instead(string words, params string[] options)
    {
        using var agent = new AgentUnderTest();

        var answer = await agent.RunAsync(["restore", "postgres", "--target-directory", "/nowhere", .. options]);

        answer.Exit.ShouldBe(ExitCode.Usage);
        answer.Error.ShouldContain(words);
        agent.Source.Restored.ShouldBeFalse();
    }
}
