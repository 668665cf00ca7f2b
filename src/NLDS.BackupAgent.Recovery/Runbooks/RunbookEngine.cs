using System.Globalization;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>
/// Does a runbook step by step, and writes down each that is done before it begins the next. Ended at any point, it is gone on with by another process: what is written
/// down is not done again, and of the step that was under way it is looked first whether its effect is there.
/// </summary>
internal sealed partial class RunbookEngine(RunJournal journal, RecoveryReports reports, TimeProvider clock, ILogger<RunbookEngine> logger)
{
    /// <summary>Told what has just been done (<c>did NAME</c>) and what is written down (<c>wrote NAME</c>); a test ends there.</summary>
    internal Action<string> Reached { get; set; } = _ => { };

    /// <exception cref="SourceException">A step failed. The run has not ended, and goes on with the next call.</exception>
    /// <exception cref="NotRestorableException">The data are not what they should be. The run has not ended either.</exception>
    public async Task<(RecoveryReport Report, string Page)> RunAsync(JournaledRun run, bool isContinued, Runbook runbook, string by, RecoveryWatch watch, CancellationToken cancellationToken)
    {
        var done = run.Done.ToList();
        var mayBeThere = isContinued;
        foreach (var (number, step) in runbook.Steps.Select((step, index) => (index + 1, step)).Skip(done.Count))
        {
            var facts = (run with { Done = done }).Facts;
            var scope = new RunScope(run.Begun.Id, facts, watch);
            watch.Say($"[{number}/{runbook.Steps.Count}] {step.Name}: {step.What}");
            var began = clock.GetTimestamp();
            var (words, wasThere) = await Runner(run).DoAsync(step, scope, mayBeThere, cancellationToken);
            Reached($"did {step.Name}");
            var written = new DoneStep(number, step.Name, words, wasThere, clock.GetUtcNow(), clock.GetElapsedTime(began).TotalSeconds, by, scope.Remembered, scope.Findings);
            await journal.WriteAsync(run.Begun.Id, written, cancellationToken);
            Reached($"wrote {step.Name}");
            LogDone(run.Begun.Id, step.Name, words);
            watch.Say(string.Create(CultureInfo.InvariantCulture, $"    {words} ({written.Seconds:F1} s)"));
            done.Add(written);
            mayBeThere = false;
        }

        return await EndAsync(run with { Done = done }, runbook, by, null, cancellationToken);
    }

    /// <summary>Gives a run up: what its steps took away comes back, the last one's first, as far as that goes.</summary>
    public async Task<(RecoveryReport Report, string Page)> UndoAsync(JournaledRun run, Runbook runbook, string by, RecoveryWatch watch, CancellationToken cancellationToken)
    {
        var scope = new RunScope(run.Begun.Id, run.Facts, watch);

        // The step behind the last that is written down may have been under way.
        foreach (var step in runbook.Steps.Take(run.Done.Count + 1).Reverse().Where(step => step.Undo is not null))
        {
            watch.Say($"Taking back: {step.Name}");
            watch.Say($"    {await Runner(run).UndoAsync(step, scope, cancellationToken)}");
        }

        return await EndAsync(run, runbook, by, scope.Findings, cancellationToken);
    }

    private async Task<(RecoveryReport Report, string Page)> EndAsync(
        JournaledRun run, Runbook runbook, string by, IReadOnlyList<string>? givenUp, CancellationToken cancellationToken)
    {
        var report = Conclude(run, runbook, by, givenUp);
        var page = await reports.WriteAsync(report, cancellationToken);
        await journal.EndAsync(new EndedRun(run.Begun.Id, report.Verdict, report.Ended, by), cancellationToken);
        LogEnded(run.Begun.Id, report.Verdict, page);
        return (report, page);
    }

    private RecoveryReport Conclude(JournaledRun run, Runbook runbook, string by, IReadOnlyList<string>? givenUp)
    {
        // Whoever goes on with a run that was only not written down as ended has ended it when the last step was.
        var ended = givenUp is null && run.Done is [.., var last] ? last.DoneAt : clock.GetUtcNow();
        var time = (ended - run.Begun.BegunAt).TotalSeconds;
        List<string> findings = [.. run.Done.SelectMany(step => step.Findings), .. givenUp ?? []];
        var isInPart = findings.Count > 0;
        var isLate = time > runbook.RecoveryTimeObjective.TotalSeconds;
        var isOld = runbook.RecoveryPoint > runbook.RecoveryPointObjective;
        if (givenUp is null && isLate)
        {
            findings.Add(string.Create(CultureInfo.InvariantCulture, $"It took {time:F1} s; the objective is {runbook.RecoveryTimeObjective.TotalSeconds:F0} s."));
        }

        if (givenUp is null && isOld)
        {
            findings.Add(string.Create(CultureInfo.InvariantCulture, $"Up to {runbook.RecoveryPoint!.Value.TotalSeconds:F1} s were lost; the objective is {runbook.RecoveryPointObjective.TotalSeconds:F0} s."));
        }

        var worked = run.Done.Sum(step => step.Seconds);
        return new RecoveryReport
        {
            Id = run.Begun.Id,
            Scenario = run.Begun.Scenario,
            Arguments = run.Begun.Arguments,
            Began = run.Begun.BegunAt,
            Ended = ended,
            By = by,
            Verdict = givenUp is not null ? RecoveryVerdict.GivenUp
                : isInPart ? RecoveryVerdict.RecoveredInPart
                : isLate || isOld ? RecoveryVerdict.ObjectiveMissed : RecoveryVerdict.Recovered,
            RecoveryTimeSeconds = time,
            RecoveryTimeObjectiveSeconds = runbook.RecoveryTimeObjective.TotalSeconds,
            RecoveryPointSeconds = runbook.RecoveryPoint?.TotalSeconds,
            RecoveryPointObjectiveSeconds = runbook.RecoveryPointObjective.TotalSeconds,
            Phases =
            [
                .. run.Done.Select(step => new RecoveryPhase(
                    step.Name, step.Words, step.Seconds, runbook.Steps[step.Number - 1].Estimate.TotalSeconds, worked > 0 ? step.Seconds / worked : 0)),
            ],
            Findings = findings,
        };
    }

    private StepRunner Runner(JournaledRun run) => new(
        clock, $"Mend the cause and say 'recover {run.Begun.Scenario}' again: it goes on here. 'recover {run.Begun.Scenario} --undo' gives it up.");

    [LoggerMessage(LogLevel.Information, "Recovery {Run}: {Step}. {Words}")]
    private partial void LogDone(string run, string step, string words);

    [LoggerMessage(LogLevel.Information, "Recovery {Run} has ended: {Verdict}. Its report is {Page}.")]
    private partial void LogEnded(string run, RecoveryVerdict verdict, string page);
}
