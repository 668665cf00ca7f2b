using System.Text.Json.Nodes;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Tests.Commands;

/// <summary><c>recover</c> from outside, with the whole program, a directory store and the double of an API server.</summary>
public sealed class RecoverVerbTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private WholeProgram program = null!;
    private ApiServerDouble cluster = null!;
    private string pod = "";

    public async ValueTask InitializeAsync()
    {
        cluster = await ApiServerDouble.StartAsync();
        cluster.LoadRecordedNamespace();
        cluster.RunsWorkloads = true;
        program = new WholeProgram(directory.Path);
        program.ProtectNamespace(cluster.WriteKubeconfig(directory["kubeconfig"]));
        foreach (var old in cluster.List("pods", "nlds").Where(p => p["metadata"]!["name"]!.GetValue<string>().StartsWith("nlds-api-7c4fc78d45", StringComparison.Ordinal)))
        {
            cluster.Remove("pods", "nlds", old["metadata"]!["name"]!.GetValue<string>());
        }

        cluster.Remove("replicasets.apps", "nlds", "nlds-api-7c4fc78d45");
        pod = cluster.List("pods", "nlds").First(p => p["metadata"]!["labels"]?["app"]?.GetValue<string>() == "nlds-api")["metadata"]!["name"]!.GetValue<string>();
        foreach (var other in cluster.List("pods", "nlds"))
        {
            cluster.Change("pods", "nlds", other["metadata"]!["name"]!.GetValue<string>(), p => p["status"] = JsonNode.Parse("""{ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }"""));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task A_plan_says_what_would_be_done_and_does_nothing()
    {
        (await program.RunAsync("recover", "pod", pod, "--replace", "--plan")).ShouldBe(ExitCode.Done, program.Error);

        program.Output.ShouldContain("!  1. replace the pod");
        program.Output.ShouldContain("the objective is 2 min");
        cluster.Find("pods", "nlds", pod).ShouldNotBeNull();
        Directory.Exists(directory["store/recovery"]).ShouldBeFalse();

        await program.RunAsync("recover", "pod", pod, "--replace", "--plan", "--json");
        JsonNode.Parse(program.Output)!["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>()).ShouldBe(["replace the pod", "wait for the pod"]);
    }

    [Fact]
    public async Task Nothing_is_taken_away_before_somebody_said_yes()
    {
        (await program.RunAsync("recover", "pod", pod, "--replace")).ShouldBe(ExitCode.Usage);
        program.Error.ShouldContain("--yes");
        (await program.AnswerAsync("no", "recover", "pod", pod, "--replace")).ShouldBe(ExitCode.Usage);
        program.Output.ShouldContain("Nothing was done.");
        cluster.Find("pods", "nlds", pod).ShouldNotBeNull();

        (await program.AnswerAsync("pod", "recover", "pod", pod, "--replace")).ShouldBe(ExitCode.Done, program.Error);

        cluster.Find("pods", "nlds", pod).ShouldBeNull();
        program.Output.ShouldContain("The pod is recovered.");
        Directory.GetFiles(directory["store/reports/recovery"], "report.html", SearchOption.AllDirectories).Length.ShouldBe(1);
    }

    [Fact]
    public async Task A_report_as_json_is_all_that_is_printed()
    {
        (await program.RunAsync("recover", "pod", pod, "--replace", "--yes", "--json")).ShouldBe(ExitCode.Done, program.Error);

        var report = JsonNode.Parse(program.Output)!["report"]!;
        report["verdict"]!.GetValue<string>().ShouldBe("Recovered");
        report["recoveryTimeObjectiveSeconds"]!.GetValue<double>().ShouldBe(120);
    }

    [Theory]
    [InlineData("No recovery is under way", "recover", "pod", "--undo")]
    [InlineData("There is no pod 'nobody'", "recover", "pod", "nobody")]
    [InlineData("'redis' is not an enabled database server|No enabled source is a database server", "recover", "database", "--source", "redis")]
    [InlineData("--with names 'tea'", "recover", "cluster", "--with", "tea")]
    public async Task What_cannot_be_meant_is_said_in_a_sentence(string words, params string[] arguments)
    {
        (await program.RunAsync(arguments)).ShouldBe(ExitCode.Usage, program.Error);

        words.Split('|').ShouldContain(word => program.Error.Contains(word, StringComparison.Ordinal), program.Error);
    }
}
