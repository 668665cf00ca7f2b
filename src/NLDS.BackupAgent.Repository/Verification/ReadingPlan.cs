using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>Decides what a verification reads: what has no proof, what has one that is too old, and each day a share of the oldest. Pure.</summary>
internal static class ReadingPlan
{
    /// <param name="things">What there is, each with the time of its proof, or null.</param>
    /// <returns>Those to read, in their order.</returns>
    public static IReadOnlyList<T> Choose<T>(IReadOnlyList<(T Thing, DateTimeOffset? Verified)> things, DateTimeOffset now, VerifyScope scope)
    {
        if (scope.TrustsProofsFor is not { } trust)
        {
            return [.. things.Select(thing => thing.Thing)];
        }

        // A proof from the future was made by a clock that was wrong: it tells nothing of its age.
        var isDue = things.Select(thing => thing.Verified is not { } verified || verified > now || now - verified >= trust).ToArray();
        if (scope.Spreads)
        {
            SpreadOut(things, now, trust, isDue);
        }

        return [.. things.Where((_, index) => isDue[index]).Select(thing => thing.Thing)];
    }

    /// <summary>
    /// The oldest proofs, so many a day that all have had their turn when the first falls due again; not before they must be begun with for that, so that three
    /// backups are not read in turn every three days.
    /// </summary>
    private static void SpreadOut<T>(IReadOnlyList<(T Thing, DateTimeOffset? Verified)> things, DateTimeOffset now, TimeSpan trust, bool[] isDue)
    {
        var days = Math.Max(1, trust.Days);
        var perRun = (things.Count + days - 1) / days;
        if (perRun == 0)
        {
            return;
        }

        var runs = (things.Count + perRun - 1) / perRun;
        var tooOld = Enumerable.Range(0, things.Count).Count(index => isDue[index] && things[index].Verified is not null);
        var notBefore = trust - TimeSpan.FromDays(runs);
        foreach (var oldest in Enumerable.Range(0, things.Count)
            .Where(index => !isDue[index] && now - things[index].Verified >= notBefore)
            .OrderBy(index => things[index].Verified)
            .Take(perRun - tooOld))
        {
            isDue[oldest] = true;
        }
    }
}
