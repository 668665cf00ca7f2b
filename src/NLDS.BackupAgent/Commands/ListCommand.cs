using System.CommandLine;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Repository.Retention;
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
                listings.Add(await WithReasonsAsync(session, entry, await entry.Source.ListAsync(cancellationToken), cancellationToken));
            }

            var drilled = session.Services.GetService<DrillReports>() is { } reports ? DrillHistory.Proven(await reports.ReadAsync(cancellationToken)) : null;
            IReadOnlyList<RecoveryMark> known = parse.GetValue(source) is null && session.Services.GetService<RecoveryMarks>() is { } marks ? await marks.ListAsync(cancellationToken) : [];
            if (parse.GetValue(json))
            {
                session.Out.WriteLine(Report.Json(new ListDocument([.. listings.Select(listing => ListDocument.Of(listing, drilled))], known)));
                return ExitCode.Done;
            }

            Print([.. listings.Select(listing => ListDocument.Of(listing, drilled))], session.Out, session.Time.GetUtcNow());
            foreach (var mark in known)
            {
                session.Out.WriteLine($"mark:{mark.Name} of {Sizes.Time(mark.MarkedAt)}: {string.Join(", ", mark.Places.Select(place => $"{place.Key} {place.Value.To ?? place.Value.Backup}"))}; within {Sizes.Duration(TimeSpan.FromSeconds(mark.SkewSeconds))}.");
            }

            return ExitCode.Done;
        });
    }

    /// <summary>One span, or one between each two gaps.</summary>
    private static string Words(LogListing log) => log.Spans.Count > 1
        ? string.Join(", and ", log.Spans.Select(span => $"from {Sizes.Time(span.From)} to {Sizes.Time(span.To)}"))
        : $"from {Sizes.Time(log.RestorableFrom)} to {Sizes.Time(log.RestorableTo)}";

    private static string State(BackupSummary backup) =>
        string.Join(", ", new[] { backup.State, backup.Omissions.Count == 0 ? null : "partial", backup.Parent is null ? null : $"since {backup.Parent}" }.OfType<string>());

    private static string Kept(BackupSummary backup) => backup switch
    {
        { Kept: { Count: > 0 } reasons } => string.Join(", ", reasons),
        { Held: true } => "held",
        { Kept: not null } => "goes with the next prune",
        _ => "",
    };

    /// <summary>Why the policy keeps each backup, where the source has one; a backup that it keeps no more has no reason.</summary>
    private static async Task<SourceListing> WithReasonsAsync(CommandSession session, SourceEntry entry, SourceListing listing, CancellationToken cancellationToken)
    {
        if (session.Services.GetService<Pruner>() is not { } pruner || listing.Backups.Count == 0
            || session.Services.GetServices<IRetainedSource>().FirstOrDefault(source => source.Name == entry.Name) is not { } retained)
        {
            return listing;
        }

        var plan = await pruner.DecideAsync(retained, cancellationToken);
        return listing with { Kept = plan.Backups.ToDictionary(backup => backup.Backup.Id.ToString(), backup => backup.Decision.KeptBecause) };
    }

    private static void Print(List<ListDocument.Listing> listings, TextWriter output, DateTimeOffset now)
    {
        var table = new Table("SOURCE", "BACKUP", "AGE", "TOOK", "SIZE", "STORED", "STATE", "KEPT");
        foreach (var backup in listings.SelectMany(listing => listing.Backups))
        {
            table.Add(
                backup.Source,
                backup.Id,
                Sizes.Duration(now - (backup.UnchangedAt ?? backup.Ended)),
                Sizes.Duration(backup.Ended - backup.Began),
                Sizes.Bytes(backup.ContentBytes),
                Sizes.Bytes(backup.StoredBytes),
                State(backup),
                Kept(backup));
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

        foreach (var (backup, omission) in listings.SelectMany(listing => listing.Backups.TakeLast(1)).SelectMany(backup => backup.Omissions.Select(o => (backup, o))))
        {
            output.WriteLine($"{backup.Source}: {backup.Id} is partial: {omission}");
        }

        foreach (var (source, log) in listings.Where(listing => listing.Log is not null).Select(listing => (listing.Source, listing.Log!)))
        {
            output.WriteLine($"{source}: restorable {Words(log)}, log ends at {log.EndPosition}.");
            foreach (var gap in log.Gaps)
            {
                output.WriteLine($"{source}: gap from {gap.From} to {gap.To}: {gap.Reason}");
            }
        }
    }
}
