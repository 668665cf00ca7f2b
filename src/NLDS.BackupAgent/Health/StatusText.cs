using NLDS.BackupAgent.Output;

namespace NLDS.BackupAgent.Health;

/// <summary>The status for a person at a terminal.</summary>
internal static class StatusText
{
    public static void Write(StatusDocument status, TextWriter output, DateTimeOffset now)
    {
        output.WriteLine($"{status.Instance}, version {status.Version}, running for {Sizes.Duration(now - status.Started)}, {(status.Ready ? "ready" : "not ready")}");
        if (status.Store is { } store)
        {
            output.WriteLine($"store {store}");
        }

        foreach (var reason in status.NotReady)
        {
            output.WriteLine($"✘ {reason}");
        }

        output.WriteLine();
        var sources = new Table("SOURCE", "STATE", "RECOVERABLE UNTIL", "BACKUPS", "NEWEST", "VERIFIED", "GAPS");
        foreach (var source in status.Sources)
        {
            sources.Add(
                source.Name,
                source.Log?.State ?? "snapshots",
                Sizes.Time(source.Log?.RecoverableUntil ?? source.Newest?.Began),
                source.Backups?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?",
                source.Newest?.Id ?? "–",
                source.NewestVerified?.Id ?? "–",
                source.Log?.Gaps.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "–");
        }

        sources.WriteTo(output);
        foreach (var (name, finding) in status.Sources.SelectMany(source => source.Damage.Select(finding => (source.Name, finding))))
        {
            output.WriteLine($"✘ {name}: {finding.Subject}: {finding.What.TrimEnd('.')}. Cost: {finding.Cost.TrimEnd('.')}.");
        }

        output.WriteLine();
        var jobs = new Table("JOB", "LAST SUCCESS", "NEXT RUN", "FAILURES", "NOW");
        foreach (var job in status.Jobs)
        {
            jobs.Add(
                job.Name,
                Sizes.Time(job.LastSuccess),
                Sizes.Time(job.NextRun),
                job.Failures?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?",
                job.Progress ?? (job.RunningSince is not null ? "running" : job.LastError ?? "–"));
        }

        jobs.WriteTo(output);
        WriteRuns(status, output);
    }

    private static void WriteRuns(StatusDocument status, TextWriter output)
    {
        const int shown = 5;
        if (status.Jobs.All(job => job.Runs.Count == 0))
        {
            return;
        }

        output.WriteLine();
        var runs = new Table("LAST RUNS", "BEGAN", "TOOK", "OUTCOME", "");
        foreach (var (job, run) in status.Jobs.SelectMany(job => job.Runs.Take(shown).Select(run => (job, run))))
        {
            runs.Add(
                job.Name,
                Sizes.Time(run.Began),
                run.Ended is { } ended ? Sizes.Duration(ended - run.Began) : "?",
                run.Outcome.ToString().ToLowerInvariant(),
                run.Error ?? (run.Backup is { } backup ? $"backup {backup}, {Sizes.Bytes(run.Bytes ?? 0)}" : ""));
        }

        runs.WriteTo(output);
    }
}
