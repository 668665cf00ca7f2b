using NLDS.BackupAgent.Commands;

namespace NLDS.BackupAgent.Tests.Commands;

/// <summary>The whole program within this process, with a directory for its own and an environment that is all it knows.</summary>
internal sealed class WholeProgram(string directory)
{
    public Dictionary<string, string> Environment { get; } = [];

    /// <summary>What the last verb printed.</summary>
    public string Output { get; private set; } = "";

    /// <summary>What it said to standard error.</summary>
    public string Error { get; private set; } = "";

    public Task<int> RunAsync(params IReadOnlyList<string> words) => AnswerAsync(null, words);

    /// <param name="answer">What somebody types when he is asked; null where nobody is there.</param>
    /// <param name="words">The verb and what stands behind it.</param>
    public async Task<int> AnswerAsync(string? answer, params IReadOnlyList<string> words)
    {
        using StringWriter output = new(), error = new();
        var around = new Surroundings
        {
            Out = output,
            Error = error,
            In = answer is null ? null : new StringReader(answer + "\n"),
            Place = new StartingPlace
            {
                BinaryDirectory = directory,
                WorkingDirectory = directory,
                TemporaryDirectory = directory,
                Environment = new Dictionary<string, string>(Environment),
            },
            StartDetached = _ => { },
            LeaveSession = () => { },
        };
        var code = await new CommandLine(Program.House(), around).InvokeAsync([.. words], TestContext.Current.CancellationToken);
        (Output, Error) = (output.ToString(), error.ToString());
        return code;
    }

    /// <summary>A namespace of an API server, a store that is a directory, and no other source.</summary>
    public void ProtectNamespace(string kubeconfig)
    {
        Environment["Storage__Provider"] = "Directory";
        Environment["Storage__Directory__Path"] = Path.Combine(directory, "store");
        Environment["Postgres__Enabled"] = "false";
        Environment["Redis__Enabled"] = "false";
        Environment["Kubernetes__Namespace"] = "nlds";
        Environment["Kubernetes__Kubeconfig"] = kubeconfig;
    }
}
