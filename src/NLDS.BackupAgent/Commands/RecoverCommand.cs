using System.CommandLine;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>recover pod|database|cluster</c>: the three scenarios, each a runbook that says what it would do, asks, does, and can be gone on with.</summary>
internal static class RecoverCommand
{
    public static Command Create(CommandContext context)
    {
        var pod = new Argument<string?>("NAME") { Description = "The pod; the one that is not ready, unless said", Arity = ArgumentArity.ZeroOrOne };
        var replace = new Option<bool>("--replace") { Description = "Delete the pod, so that its owner makes it anew, instead of watching only" };
        var source = new Option<string[]>("--source") { Description = "The servers to set back together, such as postgres,redis; the database unless said", HelpName = "NAME,…" };
        var with = new Option<string[]>("--with") { Description = "What else is put back into the running servers, such as application-data", HelpName = "NAME,…" };
        return new Command("recover", "Bring the service back: a pod, a database, or everything")
        {
            Scenario(context, "pod", "A pod failed: say why, watch it come back, prove that the service answers", new Words { ["pod"] = parse => parse.GetValue(pod), ["replace"] = Flag(replace) }, pod, replace),
            Scenario(context, "database", "Data are lost or wrong: stop what uses them, restore them, prove them, start again", new Words { ["source"] = List(source) }, source, To()),
            Scenario(context, "cluster", "Everything is gone: objects, servers with their data, applications, in that order", new Words { ["with"] = List(with) }, with, To()),
        };
    }

    private sealed class Words : Dictionary<string, Func<ParseResult, string?>>;

    private static Option<string?> To() => new("--to") { Description = "latest (the default), a time in ISO 8601 with an offset, or mark:NAME", HelpName = "TARGET" };

    private static Func<ParseResult, string?> Flag(Option<bool> option) => parse => parse.GetValue(option) ? "true" : null;

    private static Func<ParseResult, string?> List(Option<string[]> option) => parse => parse.GetValue(option) is { Length: > 0 } values ? string.Join(',', values) : null;

    private static Command Scenario(CommandContext context, string name, string description, Words words, params Symbol[] own)
    {
        var plan = new Option<bool>("--plan") { Description = "Look, say what would be done and how long it should take, and change nothing" };
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask before the first step that takes something away" };
        var undo = new Option<bool>("--undo") { Description = "Give up the recovery that has not ended, and take back what it did as far as that goes" };
        var json = CommandContext.JsonOption();
        var command = new Command(name, description) { plan, yes, undo, json };
        foreach (var symbol in own)
        {
            if (symbol is Option<string?> { Name: "--to" } to)
            {
                words["to"] = parse => parse.GetValue(to);
            }

            if (symbol is Option option)
            {
                command.Add(option);
            }
            else
            {
                command.Add((Argument)symbol);
            }
        }

        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var request = new RecoverRequest(
                name,
                words.Select(word => KeyValuePair.Create(word.Key, word.Value(parse))).Where(word => word.Value is not null).ToDictionary(word => word.Key, word => word.Value!),
                $"{Environment.UserName}@{Environment.MachineName}")
            {
                Sources = [.. session.Sources.Enabled.Select(entry => entry.Snapshot).OfType<ISnapshotSource>()],
            };
            var say = parse.GetValue(json) ? session.Error : session.Out;
            var watch = new RecoveryWatch(
                line =>
                {
                    session.Progress.End();
                    say.WriteLine(line);
                },
                session.Progress);
            var recoveries = session.Services.GetRequiredService<Recoveries>();
            if (parse.GetValue(undo))
            {
                return Conclude(session, await recoveries.UndoAsync(request, watch, cancellationToken), parse.GetValue(json));
            }

            var planned = await recoveries.PlanAsync(request, cancellationToken);
            if (parse.GetValue(plan) && parse.GetValue(json))
            {
                session.Out.WriteLine(Report.Json(RecoveryPlanDocument.Of(name, planned)));
                return ExitCode.Done;
            }

            Print(planned, parse.GetValue(plan) ? session.Out : say);
            if (parse.GetValue(plan))
            {
                return ExitCode.Done;
            }

            if (planned.NeedsConsent && !parse.GetValue(yes) && !Consents(context.Around, name))
            {
                say.WriteLine("Nothing was done.");
                return ExitCode.Usage;
            }

            return Conclude(session, await recoveries.RunAsync(planned, watch, cancellationToken), parse.GetValue(json));
        });
    }

    private static bool Consents(Surroundings around, string scenario)
    {
        if (around.In is not { } person)
        {
            throw new UsageException($"Steps with a ! take something away. Say --yes, or look first: recover {scenario} --plan.");
        }

        around.Error.Write($"Steps with a ! take something away. To go on, write {scenario}: ");
        return person.ReadLine()?.Trim() == scenario;
    }

    private static void Print(RecoveryPlan plan, TextWriter output)
    {
        foreach (var line in plan.Lines)
        {
            output.WriteLine(line);
        }

        foreach (var warning in plan.Warnings)
        {
            output.WriteLine($"! {warning}");
        }

        if (plan.Continues is { } run)
        {
            output.WriteLine($"Recovery {run.Id} is under way since {Sizes.Time(run.Since)}. It goes on at step {plan.Done + 1} of {plan.Steps.Count}.");
        }

        foreach (var (step, index) in plan.Steps.Select((step, index) => (step, index)))
        {
            output.WriteLine($"  {(index < plan.Done ? "✔" : step.IsDestructive ? "!" : " ")} {index + 1,2}. {step.Name}: {step.What} (about {Sizes.Duration(TimeSpan.FromSeconds(step.EstimateSeconds))})");
        }

        var left = TimeSpan.FromSeconds(plan.Steps.Skip(plan.Done).Sum(step => step.EstimateSeconds));
        output.WriteLine($"It should take {Sizes.Duration(left)}; the objective is {Sizes.Duration(plan.RecoveryTimeObjective)}.");
    }

    private static int Conclude(CommandSession session, (RecoveryReport Report, string Page) ended, bool asJson)
    {
        session.Progress.End();
        var (report, page) = ended;
        var place = $"{session.Services.GetRequiredService<BackupRepository>().Description}/{page}";
        if (asJson)
        {
            session.Out.WriteLine(Report.Json(new RecoveryDocument(place, report)));
        }
        else
        {
            foreach (var finding in report.Findings)
            {
                session.Out.WriteLine($"! {finding}");
            }

            var point = report.RecoveryPointSeconds is { } lost ? $", recovery point {Sizes.Duration(TimeSpan.FromSeconds(lost))}" : "";
            session.Out.WriteLine($"{Sentence(report)} Recovery time {Sizes.Duration(TimeSpan.FromSeconds(report.RecoveryTimeSeconds))}{point}.");
            session.Out.WriteLine($"Report: {place}");
        }

        return report.Verdict == RecoveryVerdict.RecoveredInPart ? ExitCode.Failed : ExitCode.Done;
    }

    private static string Sentence(RecoveryReport report) => report.Verdict switch
    {
        RecoveryVerdict.Recovered => $"The {report.Scenario} is recovered.",
        RecoveryVerdict.ObjectiveMissed => $"The {report.Scenario} is recovered, but not within the objectives.",
        RecoveryVerdict.RecoveredInPart => $"The {report.Scenario} is recovered in part: look at the findings.",
        _ => $"The recovery of the {report.Scenario} is given up.",
    };
}

/// <summary>What <c>recover --json</c> prints.</summary>
/// <param name="Page">Where the report for people lies.</param>
internal sealed record RecoveryDocument(string Page, RecoveryReport Report);

/// <summary>What <c>recover --plan --json</c> prints.</summary>
/// <param name="Continues">The run that it goes on with; null for a new one.</param>
internal sealed record RecoveryPlanDocument(
    string Scenario, string? Continues, int Done, IReadOnlyList<PlannedStep> Steps, IReadOnlyList<string> Lines, IReadOnlyList<string> Warnings, double RecoveryTimeObjectiveSeconds)
{
    public static RecoveryPlanDocument Of(string scenario, RecoveryPlan plan) =>
        new(scenario, plan.Continues?.Id, plan.Done, plan.Steps, plan.Lines, plan.Warnings, plan.RecoveryTimeObjective.TotalSeconds);
}
