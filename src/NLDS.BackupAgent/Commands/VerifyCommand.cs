using System.CommandLine;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Telemetry;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>verify [SOURCE] [ID|latest|all]</c>: reads everything back.</summary>
internal static class VerifyCommand
{
    public static Command Create(CommandContext context)
    {
        var source = new Argument<string?>("SOURCE") { Description = string.Join(", ", context.SourceNames), Arity = ArgumentArity.ZeroOrOne };
        source.AcceptOnlyFromAmong([.. context.SourceNames]);
        var id = new Argument<string>("ID") { Description = "A backup's id, latest or all", DefaultValueFactory = _ => "all" };
        var onlyNew = new Option<bool>("--new") { Description = "Read only what was never read back; everything else is looked for in the listing" };
        var json = CommandContext.JsonOption();
        var command = new Command("verify", "Read backups and logs back, every byte, and name what is damaged") { source, id, onlyNew, json };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var scope = Scope(parse.GetRequiredValue(id));
            scope = parse.GetValue(onlyNew) ? scope with { TrustsProofsFor = VerifyScope.New.TrustsProofsFor } : scope;
            var entries = parse.GetValue(source) is { } name ? [session.Sources.Require(name)] : await StoredAsync(session, cancellationToken);
            var asJson = parse.GetValue(json);
            var reports = new List<VerifyReport>();
            foreach (var entry in entries)
            {
                var report = await AgentTraces.SpanAsync("verify", entry.Name, () => entry.Source.VerifyAsync(scope, session.Progress, cancellationToken));
                session.Progress.End();
                reports.Add(report);
                if (!asJson)
                {
                    Print(report, session.Out);
                }
            }

            var clean = reports.All(report => report.Damage.Count == 0);
            if (asJson)
            {
                session.Out.WriteLine(Report.Json(new VerifyDocument(clean, reports)));
            }

            return clean ? ExitCode.Done : ExitCode.Damage;
        });
    }

    /// <summary>
    /// The sources of which something is stored here: a repository need not hold every source that this program knows. Of one that is named nothing is damage, and
    /// so is nothing of any, when it was there that backups were thought to be.
    /// </summary>
    private static async Task<IReadOnlyList<SourceEntry>> StoredAsync(CommandSession session, CancellationToken cancellationToken)
    {
        var stored = new List<SourceEntry>();
        var repository = session.Services.GetService<BackupRepository>();
        foreach (var entry in session.Sources.All)
        {
            if (repository is null || await repository.HoldsAnyUnderAsync($"{entry.Name}/", cancellationToken)
                || (entry.Source is IRetainedSource { Layout.Prefix: var backups } && await repository.HoldsAnyUnderAsync(backups, cancellationToken)))
            {
                stored.Add(entry);
            }
        }

        return stored.Count > 0 ? stored : session.Sources.All;
    }

    private static VerifyScope Scope(string id) => id switch
    {
        "all" => VerifyScope.All,
        "latest" => VerifyScope.Latest,
        _ when BackupId.TryParse(id, out _) => new VerifyScope(id),
        _ => throw new UsageException($"'{id}' is not a backup's id. Write one as list shows it (20260726_020000), latest or all."),
    };

    private static void Print(VerifyReport report, TextWriter output)
    {
        var damage = report.Damage.Count;
        output.WriteLine(
            $"{(damage == 0 ? '✔' : '✘')} {report.Source}: {report.ObjectsRead} objects, {Sizes.Bytes(report.StoredBytes)} read back"
            + (report.ObjectsBelieved == 0 ? "" : $", {report.ObjectsBelieved} proven before")
            + (damage == 0 ? ", nothing damaged." : $", {damage} damaged:"));
        foreach (var finding in report.Damage)
        {
            output.WriteLine($"  {finding.Subject}: {finding.What.TrimEnd('.')}. Cost: {finding.Cost.TrimEnd('.')}.");
        }

        foreach (var note in report.Notes)
        {
            output.WriteLine($"  {note}");
        }
    }
}
