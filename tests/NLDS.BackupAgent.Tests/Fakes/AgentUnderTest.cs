using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Tests.Fakes;

/// <summary>The whole command line in a folder and an environment of its own, with one source that does as the test says.</summary>
internal sealed class AgentUnderTest : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("nlds-agent-");
    private readonly StringWriter output = new();
    private readonly StringWriter error = new();

    public AgentUnderTest()
    {
        Binary = root.CreateSubdirectory("binary").FullName;
        Working = root.CreateSubdirectory("working").FullName;
        Features = new FeatureList().AddSource<FakeOptions>(
            "Postgres",
            "postgres",
            (services, _) =>
            {
                services.AddSingleton<ISnapshotSource>(Source);
                services.AddSingleton<IContinuousSource>(Source);
                services.AddSingleton<IWalFetcher>(Source);
            },
            [new ScheduleKeys("postgres-full", "FullBackup:Schedule", "FullBackup:TimeZone")],
            new([new RestoreOption("tablespace", "OLD=NEW", "Move a tablespace", AllowsMany: true), new RestoreOption("layout", "NAME", "Lay it out so"), new RestoreOption("force", null, "Do it all the same")]));
    }

    public string Binary { get; }

    public string Working { get; }

    public FakeSource Source { get; } = new("postgres");

    public FeatureList Features { get; }

    public Dictionary<string, string> Environment { get; } = [];

    public TimeProvider Time { get; set; } = TimeProvider.System;

    public SecretScrubber Scrubber { get; } = new();

    /// <summary>The command lines of the processes that were started to go on alone; none runs.</summary>
    public List<IReadOnlyList<string>> Started { get; } = [];

    public StartingPlace Place => new()
    {
        BinaryDirectory = Binary,
        WorkingDirectory = Working,
        TemporaryDirectory = root.FullName,
        Environment = Environment,
    };

    public Surroundings Surroundings => new()
    {
        Out = output,
        Error = error,
        Place = Place,
        Time = Time,
        StartDetached = Started.Add,
        LeaveSession = () => { },
    };

    public string Write(string name, string content)
    {
        var path = Path.Combine(Working, name);
        File.WriteAllText(path, content);
        return path;
    }

    public AgentConfiguration Load(string? configFile = null) => AgentConfiguration.Load(Surroundings, configFile, Features, Scrubber);

    /// <summary>The faults as the user reads them.</summary>
    public IReadOnlyList<string> Faults(string? configFile = null) =>
        [.. Should.Throw<ConfigurationFaultsException>(() => Load(configFile)).Faults.Select(fault => fault.ToString())];

    public async Task<Answer> RunAsync(params string[] arguments)
    {
        output.GetStringBuilder().Clear();
        error.GetStringBuilder().Clear();
        var exit = await new CommandLine(Features, Surroundings).InvokeAsync(arguments, TestContext.Current.CancellationToken);
        return new Answer(exit, output.ToString(), error.ToString());
    }

    public string ErrorText => error.ToString();

    public string OutText => output.ToString();

    public void Dispose() => root.Delete(recursive: true);

    internal sealed record Answer(int Exit, string Out, string Error);
}
