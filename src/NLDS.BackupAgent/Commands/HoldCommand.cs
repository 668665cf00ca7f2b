using System.CommandLine;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>hold ID</c> and <c>release ID</c>: a held backup survives every policy.</summary>
internal static class HoldCommand
{
    /// <summary>Enough to recognise a mistyped one.</summary>
    private const int IdsInMessage = 5;

    public static Command CreateHold(CommandContext context)
    {
        var (id, source) = Arguments(context);
        var reason = new Option<string>("--reason") { Description = "Why, for whoever wonders later", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        var command = new Command("hold", "Keep a backup whatever the policy says, until it is released") { id, source, reason };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var (holds, layout, backup) = await FindAsync(session, parse.GetRequiredValue(id), parse.GetValue(source), cancellationToken);
            var isNew = await holds.HoldAsync(layout, backup, parse.GetValue(reason) ?? "", $"{Environment.UserName}@{Environment.MachineName}", cancellationToken);
            session.Out.WriteLine(isNew ? $"Backup {backup} of {layout.Source} is held." : $"Backup {backup} of {layout.Source} was held already; that hold stands.");
            return ExitCode.Done;
        });
    }

    public static Command CreateRelease(CommandContext context)
    {
        var (id, source) = Arguments(context);
        var command = new Command("release", "Let the policy decide about a held backup again") { id, source };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var (holds, layout, backup) = await FindAsync(session, parse.GetRequiredValue(id), parse.GetValue(source), cancellationToken);
            var wasHeld = await holds.ReleaseAsync(layout, backup, cancellationToken);
            session.Out.WriteLine(wasHeld ? $"Backup {backup} of {layout.Source} is released." : $"Backup {backup} of {layout.Source} was not held.");
            return ExitCode.Done;
        });
    }

    private static (Argument<string> Id, Argument<string?> Source) Arguments(CommandContext context)
    {
        var source = new Argument<string?>("SOURCE") { Description = $"{string.Join(", ", context.SourceNames)}; needed where two have a backup of this id", Arity = ArgumentArity.ZeroOrOne };
        source.AcceptOnlyFromAmong([.. context.SourceNames]);
        return (new Argument<string>("ID") { Description = "A backup's id, as list shows it" }, source);
    }

    private static async Task<(BackupHolds Holds, SnapshotLayout Layout, BackupId Id)> FindAsync(
        CommandSession session, string text, string? source, CancellationToken cancellationToken)
    {
        if (!BackupId.TryParse(text, out var id))
        {
            throw new UsageException($"'{text}' is not a backup's id. Write one as list shows it (20260726_020000).");
        }

        var holds = session.Services.GetRequiredService<BackupHolds>();
        var found = new List<SnapshotLayout>();
        var known = new List<string>();
        foreach (var layout in session.Services.GetServices<IRetainedSource>().Where(s => source is null || s.Name == source).Select(s => s.Layout))
        {
            if (await holds.ExistsAsync(layout, id, cancellationToken))
            {
                found.Add(layout);
            }
            else
            {
                known.AddRange((await holds.ListIdsAsync(layout, cancellationToken)).TakeLast(IdsInMessage).Select(other => $"{other} ({layout.Source})"));
            }
        }

        return found switch
        {
            [var one] => (holds, one, id),
            [] => throw new UsageException($"There is no backup {id}. {(known.Count > 0 ? $"The newest are {string.Join(", ", known)}." : "There is none at all.")}"),
            _ => throw new UsageException($"{string.Join(" and ", found.Select(l => l.Source))} have a backup {id}. Say which: hold {id} {found[0].Source}."),
        };
    }
}
