using System.CommandLine;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>list [SOURCE]</c>: what the repository holds.</summary>
internal static class ListCommand
{
    public static Command Create(CommandContext context)
    {
        var source = new Argument<string?>("SOURCE") { Description = string.Join(", ", context.SourceNames), Arity = ArgumentArity.ZeroOrOne };
        source.AcceptOnlyFromAmong([.. context.SourceNames]);
        var json = CommandContext.JsonOption();
        var command = new Command("list", "Show backups with age and size, and what the logs can restore") { source, json };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var entries = parse.GetValue(source) is { } name ? [session.Sources.Require(name)] : session.Sources.All;
            var listings = new List<SourceListing>();
            foreach (var entry in entries)
            {
                listings.Add(await entry.Source.ListAsync(cancellationToken));
            }

            if (parse.GetValue(json))
            {
                session.Out.WriteLine(Report.Json(new ListDocument([.. listings.Select(ListDocument.Of)])));
                return ExitCode.Done;
            }

            Print([.. listings.Select(ListDocument.Of)], session.Out, session.Time.GetUtcNow());
            return ExitCode.Done;
        });
    }

    private static void Print(List<ListDocument.Listing> listings, TextWriter output, DateTimeOffset now)
    {
        var table = new Table("SOURCE", "BACKUP", "AGE", "TOOK", "SIZE", "STORED", "STATE", "KEPT");
        foreach (var backup in listings.SelectMany(listing => listing.Backups))
        {
            table.Add(
                backup.Source,
                backup.Id,
                Sizes.Duration(now - backup.Ended),
                Sizes.Duration(backup.Ended - backup.Began),
                Sizes.Bytes(backup.ContentBytes),
                Sizes.Bytes(backup.StoredBytes),
                backup.State,
                string.Join(", ", [.. backup.Held ? ["held"] : Array.Empty<string>(), .. backup.Kept ?? []]));
        }

        if (listings.Any(listing => listing.Backups.Count > 0))
        {
            table.WriteTo(output);
        }
        else
        {
            output.WriteLine("There is no backup.");
        }

        foreach (var (source, damaged) in listings.SelectMany(listing => listing.Damaged.Select(damaged => (listing.Source, damaged))))
        {
            output.WriteLine($"{source}: {damaged.Key} cannot be restored: {damaged.Value}");
        }

        foreach (var (source, log) in listings.Where(listing => listing.Log is not null).Select(listing => (listing.Source, listing.Log!)))
        {
            output.WriteLine($"{source}: restorable from {Sizes.Time(log.RestorableFrom)} to {Sizes.Time(log.RestorableTo)}, log ends at {log.EndPosition}.");
            foreach (var gap in log.Gaps)
            {
                output.WriteLine($"{source}: gap from {gap.From} to {gap.To}: {gap.Reason}");
            }
        }
    }
}
