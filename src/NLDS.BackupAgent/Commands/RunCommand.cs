using System.CommandLine;
using NLDS.BackupAgent.Daemon;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>run</c>: the daemon, until it is told to stop.</summary>
internal static class RunCommand
{
    public static Command Create(CommandContext context)
    {
        var command = new Command("run", "Run the agent: tails, schedules, health, metrics (the default)") { context.Adopt };
        command.SetAction((parse, cancellationToken) => RunAsync(context, parse, cancellationToken));
        return command;
    }

    public static Task<int> RunAsync(CommandContext context, ParseResult parse, CancellationToken cancellationToken) => context.Answering(async () =>
    {
        await using var daemon = DaemonHost.Build(context.Load(parse), context.Around, context.Scrubber, parse.GetValue(context.Adopt));
        await DaemonHost.RunAsync(daemon, cancellationToken);
        return ExitCode.Done;
    });
}
