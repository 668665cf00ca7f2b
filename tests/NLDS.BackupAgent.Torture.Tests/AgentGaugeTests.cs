namespace NLDS.BackupAgent.Torture.Tests;

public sealed class AgentGaugeTests
{
    private readonly TortureReport report = new("nothing", 1);
    private readonly AgentGauge gauge;

    public AgentGaugeTests() => gauge = new AgentGauge(report);

    [Fact]
    public void The_agent_that_lived_longest_is_compared_with_what_it_used_when_it_was_warm()
    {
        Look(process: 1, (900, 900, 900, 900));
        Look(process: 2, (100, 60, 50, 20), (120, 70, 70, 25), (110, 65, 60, 22), (300, 200, 400, 30), (130, 80, 75, 24));

        gauge.ReportTheOldest().ShouldBe((5, 5));

        var said = report.ToString();
        said.ShouldContain("120  MiB of memory, of the agent that lived longest, at the end 130\n");
        said.ShouldContain("70  MiB of anonymous memory, of the agent that lived longest, at the end 80\n");
        said.ShouldContain("70  file handles, of the agent that lived longest, at the end 75\n");
        said.ShouldContain("25  threads, of the agent that lived longest, at the end 24\n");
        said.ShouldContain("900  file handles, the agent's most\n");
    }

    [Fact]
    public void An_agent_that_never_was_warm_is_compared_with_nothing()
    {
        Look(process: 1, (100, 60, 50, 20), (120, 70, 70, 25), (110, 65, 90, 22));

        gauge.ReportTheOldest().ShouldBe((0, 3));

        report.ToString().ShouldNotContain("at the end");
    }

    [Fact]
    public void A_look_sees_what_a_process_has()
    {
        gauge.Look(Environment.ProcessId);

        report["MiB of memory, the agent's most"].ShouldBeGreaterThan(0);
        report["file handles, the agent's most"].ShouldBeGreaterThan(2);
    }

    private void Look(int process, params (long Memory, long Anonymous, long Handles, long Threads)[] looks)
    {
        foreach (var look in looks)
        {
            gauge.Add(process, new AgentLook(look.Memory, look.Anonymous, look.Handles, look.Threads));
        }
    }
}
