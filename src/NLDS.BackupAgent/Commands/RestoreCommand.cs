using System.CommandLine;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Telemetry;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>restore SOURCE</c>: first a plan that proves the restore possible, then the restore. Each source adds its own options.</summary>
internal static class RestoreCommand
{
    public static Command Create(CommandContext context)
    {
        var command = new Command("restore", "Bring a source back: plan, prove, then do");
        foreach (var feature in context.Features.Sources.Where(feature => feature.Restore is not null))
        {
            command.Add(CreateFor(context, feature));
        }

        return command;
    }

    private static Command CreateFor(CommandContext context, Feature feature)
    {
        var (source, syntax) = (feature.Source!, feature.Restore!);
        var directory = new Option<string?>("--target-directory") { Description = "Where to restore to; must be empty or absent", HelpName = "DIR" };
        var to = new Option<string?>("--to") { Description = "latest (the default), a time in ISO 8601 with an offset, mark:NAME, or what else the source knows", HelpName = "TARGET" };
        var backup = new Option<string?>("--backup") { Description = "The backup to begin from; the best one for the target unless said", HelpName = "ID" };
        var plan = new Option<bool>("--plan") { Description = "Say what would be done, and do nothing" };
        var json = CommandContext.JsonOption();
        var ifEmpty = new Option<bool>("--if-empty")
        {
            Description = "Before a server's start: restore if there are no data but in the repository, or if a restore was requested; otherwise let the server start",
        };
        var asCopy = new Option<bool>("--as-copy") { Description = "With --if-empty: the server is a copy, and does not take the original's place in its archive" };
        var atNextStart = new Option<bool>("--at-next-start") { Description = "Request it: the next start with --if-empty restores to --to, even over data, which are moved aside" };
        var withdraw = new Option<bool>("--withdraw") { Description = "Take the last request back" };
        var own = syntax.Options.Where(option => option.ValueName is not null).ToDictionary(option => option.Name, Own);
        var flags = syntax.Options.Where(option => option.ValueName is null).ToDictionary(option => option.Name, Flag);
        var command = new Command(source, $"Restore {source}") { backup, plan, json };
        foreach (Option option in (Option[])[.. syntax.IsToDirectory ? [directory, ifEmpty, asCopy, atNextStart, withdraw] : (Option[])[], .. syntax.ReachesMoments ? [to] : (Option[])[], .. own.Values, .. flags.Values])
        {
            command.Add(option);
        }

        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var request = new RestoreRequest
            {
                TargetDirectory = parse.GetValue(directory) is { } path ? Path.GetFullPath(path, context.Around.WorkingDirectory) : null,
                To = parse.GetValue(to),
                BackupId = parse.GetValue(backup),
                Options = own.Where(option => parse.GetResult(option.Value) is not null)
                    .Select(option => KeyValuePair.Create(option.Key, (IReadOnlyList<string>)(parse.GetValue(option.Value) ?? [])))
                    .Concat(flags.Where(flag => parse.GetValue(flag.Value)).Select(flag => KeyValuePair.Create(flag.Key, (IReadOnlyList<string>)[])))
                    .ToDictionary(),
            };
            if (session.Services.GetService<RecoveryMarks>() is { } marks)
            {
                request = await marks.ResolveAsync(request, source, cancellationToken);
            }

            if (syntax.IsToDirectory && BootstrapVerbs.Choose(parse, ifEmpty, asCopy, atNextStart, withdraw) is { } chosen)
            {
                return await BootstrapVerbs.RunAsync(session, source, chosen, request with { TakesPlace = !parse.GetValue(asCopy) }, parse.GetValue(plan), parse.GetValue(json), cancellationToken);
            }

            return await RestoreAsync(session, source, request, parse.GetValue(plan), parse.GetValue(json), cancellationToken);
        });
    }

    /// <summary>An array even where one value is all that may come, and then without an arity of one, which the library cannot put into an array.</summary>
    private static Option<string[]> Own(RestoreOption option)
    {
        var own = new Option<string[]>("--" + option.Name) { Description = option.Description, HelpName = option.ValueName, Arity = ArgumentArity.OneOrMore };
        if (!option.AllowsMany)
        {
            own.Validators.Add(result =>
            {
                if (result.Tokens.Count > 1)
                {
                    result.AddError($"--{option.Name} can be given once.");
                }
            });
        }

        return own;
    }

    private static Option<bool> Flag(RestoreOption option) => new("--" + option.Name) { Description = option.Description };

    private static async Task<int> RestoreAsync(
        CommandSession session, string source, RestoreRequest request, bool planOnly, bool asJson, CancellationToken cancellationToken)
    {
        var snapshots = session.Sources.Require(source).Snapshot ?? throw new UsageException($"The source '{source}' has no backups to restore.");
        var plan = await snapshots.PlanRestoreAsync(request, cancellationToken);
        if (!asJson)
        {
            PrintPlan(plan, planOnly || plan.IsOnlyAPlan ? session.Out : session.Error);
        }

        if (planOnly || plan.IsOnlyAPlan)
        {
            if (asJson)
            {
                session.Out.WriteLine(Report.Json(RestoreDocument.Of(plan, null, null)));
            }

            return ExitCode.Done;
        }

        var began = session.Time.GetTimestamp();
        var outcome = await AgentTraces.SpanAsync("restore", source, () => snapshots.RestoreAsync(plan, session.Progress, cancellationToken));
        session.Progress.End();
        var elapsed = session.Time.GetElapsedTime(began);
        if (asJson)
        {
            session.Out.WriteLine(Report.Json(RestoreDocument.Of(plan, outcome, elapsed)));
        }
        else
        {
            PrintOutcome(session, plan, outcome, elapsed);
        }

        return outcome.NotRestored.Count == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private static void PrintOutcome(CommandSession session, RestorePlan plan, RestoreOutcome outcome, TimeSpan elapsed)
    {
        foreach (var note in outcome.Notes)
        {
            session.Out.WriteLine(note);
        }

        foreach (var missing in outcome.NotRestored)
        {
            session.Error.WriteLine($"Not restored: {missing}");
        }

        session.Out.WriteLine(outcome.NotRestored.Count == 0
            ? $"Restored {plan.Source} from backup {plan.BackupId} to {plan.Target} in {Sizes.Duration(elapsed)}."
            : $"Restored {plan.Source} from backup {plan.BackupId} to {plan.Target} in part, in {Sizes.Duration(elapsed)}: what is missing is named above.");
    }

    internal static void PrintPlan(RestorePlan plan, TextWriter output)
    {
        output.WriteLine($"Restore {plan.Source} from backup {plan.BackupId} to {plan.Target}");
        output.WriteLine($"  reads {Sizes.Bytes(plan.StoredBytes)}, writes {Sizes.Bytes(plan.ContentBytes)}, should take {Sizes.Duration(plan.Estimate)}");
        if (plan.RecoversTo is { } moment)
        {
            output.WriteLine($"  recovers everything until {Sizes.Time(moment)}");
        }

        foreach (var (step, index) in plan.Steps.Select((step, index) => (step, index)))
        {
            output.WriteLine($"  {index + 1}. {step}");
        }

        foreach (var warning in plan.Warnings)
        {
            output.WriteLine($"  ! {warning}");
        }
    }
}
