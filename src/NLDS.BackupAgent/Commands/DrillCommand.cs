using System.CommandLine;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>drill [SOURCE]</c>: a disaster-recovery drill, now: on this machine, or in a namespace of Kubernetes.</summary>
internal static class DrillCommand
{
    public static Command Create(CommandContext context)
    {
        var source = new Argument<string?>("SOURCE") { Description = "Only this one; all that are enabled and can be rehearsed unless said", Arity = ArgumentArity.ZeroOrOne };
        source.AcceptOnlyFromAmong([.. context.SourceNames]);
        var random = new Option<bool>("--random") { Description = "Restore a random backup to a random second, whatever the settings say" };
        var mode = new Option<string?>("--mode") { Description = "local: on this machine, with its own programs; kubernetes: everything, in a namespace that is made for it. Drill:Mode unless said", HelpName = "local|kubernetes" };
        mode.AcceptOnlyFromAmong("local", "kubernetes");
        var json = CommandContext.JsonOption();
        var command = new Command("drill", "Rehearse a disaster: restore, start closed off, prove, put under load, report, clean up") { source, mode, random, json };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var options = session.Services.GetRequiredService<DrillOptions>();
            var isKubernetes = parse.GetValue(mode) is { } said ? said == "kubernetes" : options.Mode == DrillMode.Kubernetes;
            if (isKubernetes && (parse.GetValue(source) is not null || parse.GetValue(random)))
            {
                throw new UsageException("A drill in Kubernetes brings everything back to the latest moment. Leave SOURCE and --random out, or say --mode local.");
            }

            var choice = parse.GetValue(random) ? new DrillChoice(DrilledBackup.Random, DrilledMoment.Random) : new DrillChoice(options.Backup, options.Moment);
            var (report, page) = isKubernetes
                ? await session.Services.GetRequiredService<KubernetesDrill>().RunAsync(Snapshots(session.Sources), Teller(session, parse.GetValue(json)), session.Progress, cancellationToken)
                : await session.Services.GetRequiredService<DrillRunner>().RunAsync(Chosen(session.Sources, parse.GetValue(source)), choice, session.Progress, cancellationToken);
            session.Progress.End();
            var place = $"{session.Services.GetRequiredService<BackupRepository>().Description}/{page}";
            if (parse.GetValue(json))
            {
                session.Out.WriteLine(Report.Json(new DrillDocument(place, report)));
            }
            else
            {
                Print(session, report, place);
            }

            return ExitOf(report);
        });
    }

    public static List<IRehearsedSource> Chosen(SourceCatalog sources, string? name)
    {
        if (name is not null)
        {
            return sources.Require(name).Snapshot is IRehearsedSource one ? [one] : throw new UsageException($"The source '{name}' has no server that could be rehearsed on this machine.");
        }

        List<IRehearsedSource> enabled = [.. sources.Enabled.Select(entry => entry.Snapshot).OfType<IRehearsedSource>()];
        return enabled.Count > 0 ? enabled : throw new UsageException("No enabled source can be rehearsed. Set Enabled to true in a source's section.");
    }

    /// <summary>What a drill in Kubernetes brings back.</summary>
    public static List<ISnapshotSource> Snapshots(SourceCatalog sources) => [.. sources.Enabled.Select(entry => entry.Snapshot).OfType<ISnapshotSource>()];

    private static Action<string> Teller(CommandSession session, bool asJson) => line =>
    {
        session.Progress.End();
        (asJson ? session.Error : session.Out).WriteLine(line);
    };

    private static int ExitOf(DrillReport report) => report.Verdict switch
    {
        DrillVerdict.Passed => ExitCode.Done,
        DrillVerdict.Failed when report.Sources.Any(source => source.IsDamage || source.Proofs.Any(proof => proof.Verdict == ProofVerdict.Failed)) => ExitCode.Damage,
        _ => ExitCode.Failed,
    };

    private static void Print(CommandSession session, DrillReport report, string place)
    {
        foreach (var source in report.Sources)
        {
            session.Out.WriteLine($"{(source.Failure is null ? '✔' : '✘')} {source.Source}: {(source.Backup is null ? "nothing was restored" : $"backup {source.Backup} to {source.Target}")}");
            foreach (var phase in source.Phases)
            {
                session.Out.WriteLine($"    {phase.Name,-18} {Sizes.Duration(TimeSpan.FromSeconds(phase.Seconds))}");
            }

            foreach (var proof in source.Proofs)
            {
                session.Out.WriteLine($"  {Sign(proof.Verdict)} {proof.What}: {proof.Words}");
            }

            if (source.Load is { } load)
            {
                session.Out.WriteLine(FormattableString.Invariant(
                    $"    load test: {load.Requests} requests, {load.RatePerSecond:F0}/s, median {load.MedianMilliseconds:F2} ms, 95 % {load.Percentile95Milliseconds:F2} ms, 99 % {load.Percentile99Milliseconds:F2} ms"));
            }
        }

        foreach (var finding in report.Findings)
        {
            session.Out.WriteLine($"! {finding}");
        }

        var time = report.RecoveryTimeSeconds is { } seconds ? Sizes.Duration(TimeSpan.FromSeconds(seconds)) : "never reached";
        var point = report.RecoveryPointSeconds is { } lost ? Sizes.Duration(TimeSpan.FromSeconds(lost)) : "not known";
        session.Out.WriteLine($"The drill {Words(report.Verdict)}. Recovery time {time}, recovery point {point}.");
        session.Out.WriteLine($"Report: {place}");
    }

    private static char Sign(ProofVerdict verdict) => verdict switch
    {
        ProofVerdict.Proven => '✔',
        ProofVerdict.NotLooked => '–',
        ProofVerdict.Finding => '!',
        _ => '✘',
    };

    internal static string Words(DrillVerdict verdict) => verdict switch
    {
        DrillVerdict.Passed => "passed",
        DrillVerdict.ObjectiveMissed => "brought everything back, but missed an objective",
        _ => "failed",
    };
}

/// <summary>What <c>drill --json</c> prints.</summary>
/// <param name="Page">Where the report for people lies.</param>
internal sealed record DrillDocument(string Page, DrillReport Report);
