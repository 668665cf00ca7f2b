using System.CommandLine;
using System.ComponentModel;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// <c>wal-fetch FILE PATH</c>: PostgreSQL's <c>restore_command</c>, for what was not read ahead. It is started once per segment, so it loads neither scheduler
/// nor server. Having delivered a segment it sees to it that the next ones are read ahead.
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
            var spool = await OwnSpoolAsync(arguments, context.Around, cancellationToken);
            if (!await fetcher.FetchAsync(arguments.File, arguments.Path, cancellationToken))
            {
                return ExitCode.WalAbsent;
            }

            if (spool is not null)
            {
                await ReadAheadFromHereAsync(arguments, spool, fetcher, context.Around, cancellationToken);
            }

            return ExitCode.Done;
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

    /// <summary>The server has its segment already, so a failure here costs it nothing but time.</summary>
    private static async Task ReadAheadFromHereAsync(
        WalFetchArguments arguments, Spool spool, IWalFetcher fetcher, Surroundings around, CancellationToken cancellationToken)
    {
        try
        {
            if (await fetcher.FollowingAsync(arguments.File, ReadAhead.WindowBytes, cancellationToken) is not [var next, ..])
            {
                return;
            }

            spool.Ask(arguments.File);

            // A standby that has reached the end asks again and again, and needs no process each time to tell that nothing follows.
            if (!spool.IsBeingFilled() && await fetcher.HoldsWholeAsync(next, cancellationToken))
            {
                around.StartDetached(ReadAheadCommand.Line(arguments, spool));
            }
        }
        catch (Exception failure) when (failure is ObjectStoreException or IOException or UnauthorizedAccessException or Win32Exception)
        {
            around.Error.WriteLine($"WAL is not read ahead: {failure.Message}");
        }
    }
}
