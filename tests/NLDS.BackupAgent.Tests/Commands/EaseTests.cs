using System.Diagnostics;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Commands;

/// <summary>What helps whoever types: examples behind the help, and completion.</summary>
public sealed class EaseTests
{
    public static TheoryData<string> Verbs => [.. HelpExamples.All.Keys];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Every_example_behind_a_verbs_help_is_one_that_the_program_takes(string verb)
    {
        using var agent = new AgentUnderTest();
        var line = new CommandLine(Program.House(), agent.Surroundings);

        (await line.InvokeAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"], TestContext.Current.CancellationToken)).ShouldBe(ExitCode.Done);

        foreach (var example in HelpExamples.All[verb])
        {
            agent.OutText.ShouldContain($"nlds-backup {example}");
            var words = example.Split("  ", 2)[0].Split(" > ")[0];
            words.ShouldStartWith(verb);
            line.Complaints(words.Split(' ')).ShouldBeEmpty(example);
        }
    }

    [Theory]
    [InlineData("re", "recover restore release")]
    [InlineData("restore |", "postgres redis kubernetes application-data")]
    [InlineData("restore postgres --ta", "--target-directory --tablespace")]
    [InlineData("completion |", "bash zsh fish")]
    [InlineData("recover database --pl", "--plan")]
    public async Task The_words_that_can_be_written_next_are_offered(string typed, string expected)
    {
        using var agent = new AgentUnderTest();

        var words = typed.TrimEnd('|').Split(' ');
        var last = words[^1];

        await new CommandLine(Program.House(), agent.Surroundings).InvokeAsync(["complete", "--", .. words], TestContext.Current.CancellationToken);

        var offered = agent.OutText.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        expected.Split(' ').ShouldBeSubsetOf(offered);
        offered.ShouldAllBe(word => word.StartsWith(last, StringComparison.Ordinal));
        offered.ShouldNotContain("complete");
        offered.ShouldNotContain("wal-fetch-ahead");
    }

    /// <summary>What stands behind two slashes is to be taken as it is.</summary>
    [Fact]
    public void The_annotated_settings_name_keys_that_there_are_also_where_they_are_commented_out()
    {
        using var agent = new AgentUnderTest();
        var annotated = File.ReadAllText(Path.Combine(Checkout.Root, "appsettings.json"));
        var all = Regex.Replace(annotated, "^( *)// (?=\")", "$1", RegexOptions.Multiline);
        all.Count(c => c == '"').ShouldBe(annotated.Count(c => c == '"'));
        Regex.Matches(all, "^ *// \"", RegexOptions.Multiline).ShouldBeEmpty();
        var file = agent.Write("all.json", all);

        List<string> faults = [];
        try
        {
            AgentConfiguration.Load(agent.Surroundings, file, Program.House(), agent.Scrubber);
        }
        catch (ConfigurationFaultsException found)
        {
            faults.AddRange(found.Faults.Select(fault => fault.ToString()));
        }

        // The key's file is not there; everything else is as it should be.
        faults.ShouldAllBe(fault => fault.Contains("/etc/nlds/repository-key", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_script_makes_a_real_bash_complete()
    {
        using var directory = new TemporaryDirectory();
        var program = directory["nlds-backup"];
        await File.WriteAllTextAsync(program, $"#!/bin/sh\nexec dotnet '{typeof(CommandLine).Assembly.Location}' \"$@\"\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
        var start = new ProcessStartInfo("bash", ["-c", $"source <({program} completion bash); COMP_WORDS=({program} recover da); COMP_CWORD=2; _nlds_backup; echo \"${{COMPREPLY[@]}}\""])
        {
            RedirectStandardOutput = true,
        };
        using var bash = Process.Start(start)!;

        (await bash.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)).Trim().ShouldBe("database");
    }
}
