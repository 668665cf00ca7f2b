using System.CommandLine;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.WalFetch;

/// <summary><c>wal-read-ahead PATH --spool DIR</c>, which <c>wal-fetch</c> starts for itself: fills the spool until nobody takes anything out of it.</summary>
internal static class ReadAheadCommand
{
    private const string Verb = "wal-read-ahead";

    public static Command Create(CommandContext context)
    {
        var path = new Argument<string>("PATH");
        var spoolOption = new Option<string>(WalFetchArguments.SpoolOption) { Required = true };
        var command = new Command(Verb, "Started by wal-fetch") { path, spoolOption };
        command.Hidden = true;
        command.SetAction(async (parse, cancellationToken) =>
        {
            context.Around.LeaveSession();
            var arguments = new WalFetchArguments(
                "", parse.GetRequiredValue(path), parse.GetRequiredValue(spoolOption), parse.GetValue(context.ConfigFile));
            var spool = Spool.For(arguments, context.Around.Place);
            using var mine = spool.TryLock(); // Before anything is loaded: what is asked from here on waits for this process.
            if (mine is null)
            {
                return ExitCode.Done; // Two commands in a row each start one before the first is up.
            }

            await using var log = new StreamWriter(spool.LogFile, append: false) { AutoFlush = true };
            await log.WriteLineAsync(await RunAsync(context, arguments, spool, new ScrubbingWriter(log, context.Scrubber), cancellationToken));

            // Where the server is a container's first process, this one is its child by adoption, and it takes any code but 0 and 1 for the crash of one of
            // its own (postmaster.c, CleanupBackend): it would end all others and start over.
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>The arguments that start it.</summary>
    public static IReadOnlyList<string> Line(WalFetchArguments arguments, Spool spool) =>
    [
        Verb, arguments.Path, WalFetchArguments.SpoolOption, spool.Directory,
        .. arguments.ConfigFile is { } file ? new[] { WalFetchArguments.ConfigOption, file } : [],
    ];

    /// <returns>Why it ended, in a sentence; a failure too is no more than that.</returns>
    private static async Task<string> RunAsync(
        CommandContext context, WalFetchArguments arguments, Spool spool, TextWriter log, CancellationToken cancellationToken)
    {
        try
        {
            var around = context.Around with { Out = log, Error = log };
            var configuration = AgentConfiguration.Load(around, arguments.ConfigFile, context.Features, context.Scrubber, judgeSchedules: false);
            await using var session = CommandSession.Open(configuration, around, context.Scrubber);
            return await new ReadAhead(session.Services.GetRequiredService<IWalFetcher>(), spool, around.Time).RunAsync(cancellationToken);
        }
        catch (Exception failure)
        {
            return Failure.Of(failure).Message;
        }
    }
}
