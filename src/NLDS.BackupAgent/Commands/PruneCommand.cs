using System.CommandLine;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>prune [SOURCE]</c>: removes what the retention policy does not keep, or says what that would be.</summary>
internal static class PruneCommand
{
    public static Command Create(CommandContext context)
    {
        var source = new Argument<string?>("SOURCE") { Description = string.Join(", ", context.SourceNames), Arity = ArgumentArity.ZeroOrOne };
        source.AcceptOnlyFromAmong([.. context.SourceNames]);
        var plan = new Option<bool>("--plan") { Description = "Say of each backup why it is kept or goes, and remove nothing" };
        var large = new Option<bool>("--allow-large") { Description = "Remove even more than half of the backups; look at --plan first" };
        var json = CommandContext.JsonOption();
        var command = new Command("prune", "Remove the backups and the log that the retention policy does not keep") { source, plan, large, json };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var (asJson, allowLarge) = (parse.GetValue(json), parse.GetValue(large));
            var pruner = session.Services.GetRequiredService<Pruner>();
            var documents = new List<PruneDocument.Source>();
            var exit = ExitCode.Done;
            foreach (var retained in Chosen(session, parse.GetValue(source)))
            {
                var planned = await pruner.PlanAsync(retained, allowLarge, cancellationToken);
                if (!asJson)
                {
                    PrunePrint.Plan(planned, session.Out);
                }

                var report = parse.GetValue(plan) ? null : await PruneAsync(session, retained, planned, allowLarge, cancellationToken);
                exit = report is null && !parse.GetValue(plan) ? ExitCode.Failed : exit;
                documents.Add(PruneDocument.Source.Of(report?.Plan ?? planned, report));
                if (!asJson)
                {
                    PrunePrint.Outcome(planned, report, session.Out);
                }
            }

            if (asJson)
            {
                session.Out.WriteLine(Report.Json(new PruneDocument(documents)));
            }

            return exit;
        });
    }

    /// <summary>Null when a guard refused, which standard error says. A source that is refused does not keep the next one from being pruned.</summary>
    private static async Task<PruneReport?> PruneAsync(
        CommandSession session, IRetainedSource source, PrunePlan planned, bool allowLarge, CancellationToken cancellationToken)
    {
        try
        {
            return await session.Services.GetRequiredService<PruneRequests>().PruneAsync(
                source, planned, allowLarge, $"{Environment.UserName}@{Environment.MachineName}", session.Error.WriteLine, cancellationToken);
        }
        catch (SourceException refused)
        {
            session.Error.WriteLine(refused.Message);
            return null;
        }
    }

    private static List<IRetainedSource> Chosen(CommandSession session, string? name)
    {
        var retained = session.Services.GetServices<IRetainedSource>().ToList();
        if (name is not null)
        {
            return retained.Where(source => source.Name == name).ToList() is { Count: > 0 } one ? one : throw new UsageException($"Nothing of '{name}' is kept by a policy.");
        }

        var enabled = session.Sources.Enabled.Select(entry => entry.Name).ToHashSet();
        return [.. retained.Where(source => enabled.Contains(source.Name))];
    }
}
