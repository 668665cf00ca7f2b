using System.CommandLine;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;

namespace NLDS.BackupAgent.Commands;

/// <summary>What the verbs share: the features, the way out, and the option that names a configuration file.</summary>
internal sealed class CommandContext
{
    public CommandContext(FeatureList features, Surroundings around)
    {
        Features = features;
        Around = around with { Out = new ScrubbingWriter(around.Out, Scrubber), Error = new ScrubbingWriter(around.Error, Scrubber) };
    }

    public FeatureList Features { get; }

    /// <summary>With writers that let no secret through.</summary>
    public Surroundings Around { get; }

    public SecretScrubber Scrubber { get; } = new();

    public Option<string?> ConfigFile { get; } = new("--config")
    {
        Description = "A JSON file laid over the two appsettings.json",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>For the verbs that write for a server.</summary>
    public Option<bool> Adopt { get; } = new("--adopt")
    {
        Description = "The server was restored from a backup and takes the original's place; said once, it is recorded",
    };

    public IEnumerable<string> SourceNames => Features.Sources.Select(feature => feature.Source!);

    public static Option<bool> JsonOption() => new("--json") { Description = "Print one JSON document and nothing else on standard output" };

    public AgentConfiguration Load(ParseResult parse, bool judgeSchedules = true) =>
        AgentConfiguration.Load(Around, parse.GetValue(ConfigFile), Features, Scrubber, judgeSchedules);

    /// <summary>Makes <paramref name="work"/> the action of <paramref name="command"/>, with the configuration read and every exception answered.</summary>
    /// <param name="command">The verb.</param>
    /// <param name="work">What it does.</param>
    /// <param name="adapt">Changes what the configuration says, for this verb.</param>
    public Command Does(Command command, Func<CommandSession, ParseResult, CancellationToken, Task<int>> work, Action<IServiceCollection>? adapt = null)
    {
        command.SetAction((parse, cancellationToken) => Answering(async () =>
        {
            await using var session = CommandSession.Open(Load(parse), Around, Scrubber, parse.GetValue(Adopt), adapt);
            return await work(session, parse, cancellationToken);
        }));
        return command;
    }

    /// <summary>The one place where a verb's exceptions become an exit code and words.</summary>
    public async Task<int> Answering(Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception exception)
        {
            var failure = Failure.Of(exception);
            failure.WriteTo(Around.Error);
            return failure.ExitCode;
        }
    }
}
