using System.Text.Json.Nodes;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Tests.Commands;

/// <summary><c>drill --mode kubernetes</c> from outside, of a namespace without servers, with the whole program and the double of an API server.</summary>
public sealed class DrillVerbTests : IAsyncLifetime
{
    private const string Scratch = "nlds-dr-test";

    private readonly TemporaryDirectory directory = new();
    private WholeProgram program = null!;
    private ApiServerDouble cluster = null!;

    public async ValueTask InitializeAsync()
    {
        cluster = await ApiServerDouble.StartAsync();
        cluster.LoadRecordedNamespace();
        cluster.RunsWorkloads = true;
        program = new WholeProgram(directory.Path);
        program.ProtectNamespace(cluster.WriteKubeconfig(directory["kubeconfig"]));
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task A_drill_tells_its_steps_and_where_its_report_is_and_leaves_nothing()
    {
        (await program.RunAsync("backup", "kubernetes")).ShouldBe(ExitCode.Done, program.Error);

        (await program.RunAsync("drill", "--mode", "kubernetes")).ShouldBe(ExitCode.Done, program.Error + program.Output);

        program.Output.ShouldContain("make the objects: make the namespace");
        program.Output.ShouldContain("The drill passed.");
        Directory.GetFiles(directory["store/reports/dr-drill"], "report.html", SearchOption.AllDirectories).Length.ShouldBe(1);
        Directory.Exists(directory["store/recovery/runs"]).ShouldBeFalse("a drill is no recovery that somebody has to go on with");
        cluster.Find("namespaces", null, Scratch).ShouldBeNull();
    }

    [Fact]
    public async Task The_setting_counts_where_nothing_is_said_and_json_is_all_that_is_printed()
    {
        program.Environment["Drill__Mode"] = "Kubernetes";
        (await program.RunAsync("backup", "kubernetes")).ShouldBe(ExitCode.Done, program.Error);

        (await program.RunAsync("drill", "--json")).ShouldBe(ExitCode.Done, program.Error);

        JsonNode.Parse(program.Output)!["report"]!["mode"]!.GetValue<string>().ShouldBe("Kubernetes");
        program.Error.ShouldContain("make the rest");
    }

    [Theory]
    [InlineData("Leave SOURCE and --random out", "drill", "postgres", "--mode", "kubernetes")]
    [InlineData("Leave SOURCE and --random out", "drill", "--random", "--mode", "kubernetes")]
    public async Task What_a_drill_in_kubernetes_cannot_do_is_said(string words, params string[] arguments)
    {
        (await program.RunAsync(arguments)).ShouldBe(ExitCode.Usage, program.Error);

        program.Error.ShouldContain(words);
    }

    [Fact]
    public async Task A_namespace_that_is_somebodys_is_refused()
    {
        program.Environment["Drill__Kubernetes__Namespace"] = "nlds-other";
        (await program.RunAsync("backup", "kubernetes")).ShouldBe(ExitCode.Done, program.Error);
        var before = cluster.Revision;

        (await program.RunAsync("drill", "--mode", "kubernetes")).ShouldBe(ExitCode.Failed, program.Output);

        program.Error.ShouldContain("no drill has made");
        cluster.Revision.ShouldBe(before);
    }

    [Fact]
    public async Task The_namespace_that_is_backed_up_is_refused()
    {
        program.Environment["Drill__Kubernetes__Namespace"] = "nlds";
        var before = cluster.Revision;

        (await program.RunAsync("drill", "--mode", "kubernetes")).ShouldBe(ExitCode.Usage, program.Output);

        program.Error.ShouldContain("which is in use");
        cluster.Revision.ShouldBe(before);
    }
}
