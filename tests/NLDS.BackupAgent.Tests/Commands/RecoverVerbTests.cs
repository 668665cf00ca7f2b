using System.Text.Json.Nodes;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Tests.Commands;

/// <summary><c>recover</c> from outside, with the whole program, a directory store and the double of an API server.</summary>
public sealed class RecoverVerbTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private readonly StringWriter output = new();
    private readonly StringWriter error = new();
    private ApiServerDouble cluster = null!;
    private string pod = "";

    public async ValueTask InitializeAsync()
    {
        cluster = await ApiServerDouble.StartAsync();
        cluster.LoadRecordedNamespace();
        cluster.RunsWorkloads = true;
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
        (await RunAsync(null, "recover", "pod", pod, "--replace", "--plan")).ShouldBe(ExitCode.Done, error.ToString());

        output.ToString().ShouldContain("!  1. replace the pod");
        output.ToString().ShouldContain("the objective is 2 min");
        cluster.Find("pods", "nlds", pod).ShouldNotBeNull();
        Directory.Exists(directory["store/recovery"]).ShouldBeFalse();

        await RunAsync(null, "recover", "pod", pod, "--replace", "--plan", "--json");
        JsonNode.Parse(output.ToString())!["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>()).ShouldBe(["replace the pod", "wait for the pod"]);
    }

    [Fact]
    public async Task Nothing_is_taken_away_before_somebody_said_yes()
    {
        (await RunAsync(null, "recover", "pod", pod, "--replace")).ShouldBe(ExitCode.Usage);
        error.ToString().ShouldContain("--yes");
        (await RunAsync("no", "recover", "pod", pod, "--replace")).ShouldBe(ExitCode.Usage);
        output.ToString().ShouldContain("Nothing was done.");
        cluster.Find("pods", "nlds", pod).ShouldNotBeNull();

        (await RunAsync("pod", "recover", "pod", pod, "--replace")).ShouldBe(ExitCode.Done, error.ToString());

        cluster.Find("pods", "nlds", pod).ShouldBeNull();
        output.ToString().ShouldContain("The pod is recovered.");
        Directory.GetFiles(directory["store/reports/recovery"], "report.html", SearchOption.AllDirectories).Length.ShouldBe(1);
    }

    [Fact]
    public async Task A_report_as_json_is_all_that_is_printed()
    {
        (await RunAsync(null, "recover", "pod", pod, "--replace", "--yes", "--json")).ShouldBe(ExitCode.Done, error.ToString());

        var report = JsonNode.Parse(output.ToString())!["report"]!;
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
        (await RunAsync(null, arguments)).ShouldBe(ExitCode.Usage, error.ToString());

        words.Split('|').ShouldContain(word => error.ToString().Contains(word, StringComparison.Ordinal), error.ToString());
    }

    private async Task<int> RunAsync(string? answer, params string[] arguments)
    {
        output.GetStringBuilder().Clear();
        error.GetStringBuilder().Clear();
        var around = new Surroundings
        {
            Out = output,
            Error = error,
            In = answer is null ? null : new StringReader(answer + "\n"),
            Place = new StartingPlace
            {
                BinaryDirectory = directory.Path,
                WorkingDirectory = directory.Path,
                TemporaryDirectory = directory.Path,
                Environment = new Dictionary<string, string>
                {
                    ["Storage__Provider"] = "Directory",
                    ["Storage__Directory__Path"] = directory["store"],
                    ["Postgres__Enabled"] = "false",
                    ["Redis__Enabled"] = "false",
                    ["Kubernetes__Namespace"] = "nlds",
                    ["Kubernetes__Kubeconfig"] = cluster.WriteKubeconfig(directory["kubeconfig"]),
                },
            },
            StartDetached = _ => { },
            LeaveSession = () => { },
        };
        return await new CommandLine(Program.House(), around).InvokeAsync(arguments, TestContext.Current.CancellationToken);
    }
}
