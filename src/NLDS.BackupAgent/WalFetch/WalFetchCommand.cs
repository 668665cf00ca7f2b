using System.CommandLine;
using System.ComponentModel;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// <c>wal-fetch FILE PATH</c>: PostgreSQL's <c>restore_command</c>, for what was not read ahead. It is started once per segment, so it loads neither scheduler
/// nor server, and it sees to it that from here on a process is there that reads ahead and answers.
/// </summary>
internal static class WalFetchCommand
{
    public static Command Create(CommandContext context)
    {
        var file = new Argument<string>("FILE") { Description = "The segment or history file (%f)" };
        var path = new Argument<string>("PATH") { Description = "Where to put it (%p)" };
        var spoolOption = new Option<string?>(WalFetchArguments.SpoolOption)
        {
            Description = "The folder for what is read ahead, outside of the data directory. By default one in the temporary directory",
            HelpName = "DIR",
        };
        var command = new Command(
            WalFetchArguments.Verb, "Deliver one WAL file to a recovering server: 0 delivered, 1 certainly not in the archive, 255 anything else") { file, path, spoolOption };
        command.SetAction(async (parse, cancellationToken) =>
        {
            var arguments = new WalFetchArguments(
                parse.GetRequiredValue(file), parse.GetRequiredValue(path), parse.GetValue(spoolOption), parse.GetValue(context.ConfigFile));
            await using var session = CommandSession.Open(context.Load(parse, judgeSchedules: false), context.Around, context.Scrubber);
            var fetcher = session.Services.GetService<IWalFetcher>()
                ?? throw new UsageException("No source of this program keeps a write-ahead log.");
            if (await OwnSpoolAsync(arguments, context.Around, cancellationToken) is { } spool)
            {
                ReadAheadFromHere(arguments, spool, context.Around);
            }

            return await fetcher.FetchAsync(arguments.File, arguments.Path, cancellationToken) ? ExitCode.Done : ExitCode.WalAbsent;
        });
        return command;
    }

    /// <summary>A folder that was named has to do; without the one in the temporary directory only time is lost.</summary>
    private static async Task<Spool?> OwnSpoolAsync(WalFetchArguments arguments, Surroundings around, CancellationToken cancellationToken)
    {
        if (arguments.Spool is { } named && !Path.IsPathFullyQualified(named))
        {
            throw new UsageException($"--spool '{named}' is relative to the data directory. Give the absolute path of a folder outside of it.");
        }

        var spool = Spool.For(arguments, around.Place);
        try
        {
            await spool.OwnAsync(around.Time, cancellationToken);
            return spool;
        }
        catch (Exception refused) when (arguments.Spool is null && refused is IOException or UnauthorizedAccessException or UsageException)
        {
            around.Error.WriteLine($"WAL is not read ahead: {refused.Message} Name a folder with --spool.");
            return null;
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"The spool '{spool.Directory}' cannot be used: {unusable.Message}");
        }
    }

    /// <summary>Begun before the file itself is fetched: the reader is up when the next one is asked for. A failure here costs the server nothing but time.</summary>
    private static void ReadAheadFromHere(WalFetchArguments arguments, Spool spool, Surroundings around)
    {
        try
        {
            if (Spool.IsSegmentName(arguments.File))
            {
                spool.Ask(arguments.File);
            }

            // The last question of a recovery comes when it is over already; nobody would end a reader that is started for it.
            if (!spool.IsBeingFilled() && !new RecoverySignal(spool.Owner.Directory).IsOver())
            {
                around.StartDetached(ReadAheadCommand.Line(arguments, spool));
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or Win32Exception)
        {
            around.Error.WriteLine($"WAL is not read ahead: {failure.Message}");
        }
    }
}
