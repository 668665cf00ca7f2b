using System.CommandLine;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>wal-fetch FILE PATH</c>: PostgreSQL's <c>restore_command</c>. It is started once per segment, so it loads neither scheduler nor server.</summary>
internal static class WalFetchCommand
{
    private const string Verb = "wal-fetch";

    public static Command Create(CommandContext context)
    {
        var file = new Argument<string>("FILE") { Description = "The segment or history file (%f)" };
        var path = new Argument<string>("PATH") { Description = "Where to put it (%p)" };
        var command = new Command(Verb, "Deliver one WAL file to a recovering server: 0 delivered, 1 certainly not in the archive, 255 anything else") { file, path };
        command.SetAction(async (parse, cancellationToken) =>
        {
            await using var session = CommandSession.Open(context.Load(parse, judgeSchedules: false), context.Around, context.Scrubber);
            var fetcher = session.Services.GetService<IWalFetcher>()
                ?? throw new UsageException("No source of this program keeps a write-ahead log.");
            var delivered = await fetcher.FetchAsync(parse.GetRequiredValue(file), parse.GetRequiredValue(path), cancellationToken);
            return delivered ? ExitCode.Done : ExitCode.WalAbsent;
        });
        return command;
    }

    /// <summary>Whether these arguments are for this verb, however wrong the rest of them may be.</summary>
    public static bool IsMeantBy(IReadOnlyList<string> arguments)
    {
        for (var i = 0; i < arguments.Count; i++)
        {
            if (arguments[i] == "--config")
            {
                i++;
            }
            else if (!arguments[i].StartsWith('-'))
            {
                return arguments[i] == Verb;
            }
        }

        return false;
    }
}
