using System.Globalization;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>What the drills of all sources come to: times against their objectives, and what somebody should look at. Pure.</summary>
internal static class DrillConclusion
{
    public static DrillReport Of(string id, DateTimeOffset began, DateTimeOffset ended, string by, IReadOnlyList<SourceDrill> drilled, DrillOptions options, DrillMode mode)
    {
        double? time = drilled.Count > 0 && drilled.All(source => source.RecoveryTimeSeconds is not null) ? drilled.Sum(source => source.RecoveryTimeSeconds) : null;
        var point = drilled.Max(source => source.RecoveryPointSeconds);
        List<string> findings =
        [
            .. drilled.Where(source => source.Failure is not null).Select(source => $"{source.Source}: {source.Failure}"),
            .. drilled.SelectMany(source => source.Proofs.Where(proof => proof.Verdict is ProofVerdict.Failed or ProofVerdict.Finding).Select(proof => $"{source.Source}, {proof.What}: {proof.Words}")),
        ];
        if (time > options.RecoveryTime.TotalSeconds)
        {
            findings.Add(string.Create(CultureInfo.InvariantCulture, $"The recovery took {time:F1} s; the objective is {options.RecoveryTime.TotalSeconds:F0} s."));
        }

        if (point > options.RecoveryPoint.TotalSeconds)
        {
            findings.Add(string.Create(CultureInfo.InvariantCulture, $"A restore would have lost the last {point:F1} s; the objective is {options.RecoveryPoint.TotalSeconds:F0} s."));
        }

        foreach (var (source, load) in drilled.Where(source => source.Load is not null).Select(source => (source.Source, source.Load!)))
        {
            if (load.Failures > 0)
            {
                findings.Add($"{source}, load test: {load.Failures} clients broke off: {load.FirstFailure}");
            }

            if (load.Percentile95Milliseconds > load.ObjectiveMilliseconds)
            {
                findings.Add(string.Create(
                    CultureInfo.InvariantCulture, $"{source}, load test: 95 of 100 requests took up to {load.Percentile95Milliseconds:F1} ms; the objective is {load.ObjectiveMilliseconds:F0} ms."));
            }
        }

        var hasFailed = drilled.Any(source => source.Failure is not null || source.Load is { Failures: > 0 } || source.Proofs.Any(proof => proof.Verdict == ProofVerdict.Failed));
        return new DrillReport
        {
            Id = id,
            Began = began,
            Ended = ended,
            By = by,
            Mode = mode,
            Verdict = hasFailed ? DrillVerdict.Failed
                : time > options.RecoveryTime.TotalSeconds || point > options.RecoveryPoint.TotalSeconds ? DrillVerdict.ObjectiveMissed : DrillVerdict.Passed,
            RecoveryTimeSeconds = time,
            RecoveryPointSeconds = point,
            RecoveryTimeObjectiveSeconds = options.RecoveryTime.TotalSeconds,
            RecoveryPointObjectiveSeconds = options.RecoveryPoint.TotalSeconds,
            Sources = drilled,
            Findings = findings,
        };
    }
}
