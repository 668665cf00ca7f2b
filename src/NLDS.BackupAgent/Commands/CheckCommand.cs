using System.CommandLine;
using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>check</c>: everything that backups and restores need, every fault at once. A configuration fault ends it before, with all of those.</summary>
internal static class CheckCommand
{
    /// <summary>A store that has not done so small a thing in this time has a fault to report. The daemon would go on trying, but here somebody waits.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    public static Command Create(CommandContext context)
    {
        var json = CommandContext.JsonOption();
        var command = new Command("check", "Look at the configuration, the store and every source, and say what to do") { json };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var asJson = parse.GetValue(json);
            var findings = new List<CheckDocument.Finding>();
            await foreach (var finding in FindAsync(session, cancellationToken))
            {
                findings.Add(finding);
                if (!asJson)
                {
                    session.Out.WriteLine($"{Mark(finding.Verdict)} {finding.Source}: {finding.Subject}: {finding.Message}");
                }
            }

            var worst = findings.Select(finding => finding.Verdict).DefaultIfEmpty(CheckVerdict.Good).Max();
            session.Out.WriteLine(asJson ? Report.Json(new CheckDocument(worst, findings)) : Summary(findings));
            return worst == CheckVerdict.Fault ? ExitCode.Failed : ExitCode.Done;
        }, services => services.PostConfigure<StorageOptions>(storage => Hurry(storage.Retry)));
    }

    private static void Hurry(RetryOptions retry)
    {
        retry.TotalBudget = retry.TotalBudget < Patience ? retry.TotalBudget : Patience;
        retry.AttemptTimeout = retry.AttemptTimeout < retry.TotalBudget ? retry.AttemptTimeout : retry.TotalBudget;
    }

    private static async IAsyncEnumerable<CheckDocument.Finding> FindAsync(CommandSession session, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new("agent", "configuration", CheckVerdict.Good, "read without a fault.");
        var looks = session.Services.GetServices<IRepositoryCheck>()
            .Select(check => (check.Name, Findings: (Func<IAsyncEnumerable<CheckFinding>>)(() => check.CheckAsync(cancellationToken))))
            .Concat(session.Sources.Enabled.Select(entry => (entry.Name, Findings: (Func<IAsyncEnumerable<CheckFinding>>)(() => CheckAsync(session, entry, cancellationToken)))));
        foreach (var (name, find) in looks)
        {
            await foreach (var finding in Surviving(find, cancellationToken))
            {
                yield return new(name, finding.Subject, finding.Verdict, finding.Message);
            }
        }

        if (!session.Sources.Enabled.Any())
        {
            yield return new("agent", "sources", CheckVerdict.Warning, "none is enabled, so nothing is backed up. Set Enabled to true in a source's section.");
        }
    }

    private static async IAsyncEnumerable<CheckFinding> CheckAsync(
        CommandSession session, SourceEntry entry, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var finding in entry.Source.CheckAsync(cancellationToken))
        {
            yield return finding;
        }

        if (session.Services.GetService<WriterLeases>() is { } leases)
        {
            yield return new CheckFinding("lease", CheckVerdict.Good, await leases.For(entry.Name).DescribeAsync(cancellationToken));
        }
    }

    /// <summary>A check that breaks down is itself a finding: the other checks still run.</summary>
    private static async IAsyncEnumerable<CheckFinding> Surviving(
        Func<IAsyncEnumerable<CheckFinding>> find, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        CheckFinding? broken = null;
        var findings = find().GetAsyncEnumerator(cancellationToken);
        await using (findings)
        {
            while (broken is null)
            {
                try
                {
                    if (!await findings.MoveNextAsync())
                    {
                        yield break;
                    }
                }
                catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
                {
                    broken = new CheckFinding("check", CheckVerdict.Fault, Failure.Of(exception).Message);
                }

                yield return broken ?? findings.Current;
            }
        }
    }

    private static char Mark(CheckVerdict verdict) => verdict switch
    {
        CheckVerdict.Good => '✔',
        CheckVerdict.Warning => '!',
        _ => '✘',
    };

    private static string Summary(List<CheckDocument.Finding> findings)
    {
        var faults = findings.Count(finding => finding.Verdict == CheckVerdict.Fault);
        var warnings = findings.Count(finding => finding.Verdict == CheckVerdict.Warning);
        return $"{findings.Count} looked at, {faults} {(faults == 1 ? "fault" : "faults")}, {warnings} {(warnings == 1 ? "warning" : "warnings")}.";
    }
}
