using System.Globalization;
using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>
/// Which backups are kept. Pure, with restic's semantics (restic 0.19, <c>internal/data/snapshot_policy.go</c>): from the newest on, a backup is kept when
/// a day, a week or a month begins with it and that period's count is not used up; the oldest is kept while any count is left; all reasons are joined.
/// Three rules are added: the newest, the newest verified, and the one that the recovery window begins with are always kept.
/// </summary>
public static class RetentionDecisions
{
    /// <summary>Decides on each of the given backups, which are all sealed ones of a source in any order.</summary>
    /// <param name="backups">The backups.</param>
    /// <param name="policy">How much to keep.</param>
    /// <param name="now">What is later is the future.</param>
    /// <param name="runningSince">When the oldest backup began that may still be being taken; null when none is.</param>
    /// <returns>One decision for each, oldest first.</returns>
    public static IReadOnlyList<RetentionDecision> Decide(
        IEnumerable<RetentionCandidate> backups, RetentionPolicy policy, DateTimeOffset now, DateTimeOffset? runningSince = null)
    {
        List<RetentionCandidate> newestFirst = [.. backups.OrderByDescending(b => b.Id)];

        // A clock that was ahead once must not cost a backup of the present its place, nor lose its own for that.
        List<RetentionCandidate> past = [.. newestFirst.Where(b => b.Id.Began <= now)];
        var newest = past.FirstOrDefault();
        var newestVerified = past.FirstOrDefault(b => b.IsVerified);
        var windowBegins = newest is not null && policy.RecoveryWindow > TimeSpan.Zero ? CompleteAt(past, Before(newest.Id.Began, policy.RecoveryWindow)) : null;
        var runBegins = runningSince is { } running ? CompleteAt(past, running) : null;
        var periods = PeriodsOf(policy);
        var decisions = new List<RetentionDecision>();
        foreach (var backup in newestFirst)
        {
            List<string> reasons = [.. Standing(backup)];
            string? goes = null;
            if (backup.Id.Began <= now)
            {
                // Every period looks at every backup: one backup may stand for a day, a week and a month.
                var isOldest = backup == past[^1];
                foreach (var period in periods)
                {
                    if (period.Keeps(backup.Id, isOldest) is { } reason)
                    {
                        reasons.Add(reason);
                    }
                }

                goes = reasons.Count > 0 ? null : WhyItGoes(backup.Id, periods, policy);
            }

            decisions.Add(new RetentionDecision(backup.Id, reasons, goes));
        }

        KeepParents(decisions, newestFirst);
        decisions.Reverse();
        return decisions;

        IEnumerable<string> Standing(RetentionCandidate backup)
        {
            if (backup.Hold is { } hold)
            {
                yield return hold.Length > 0 ? $"held: {hold}" : "held";
            }

            if (backup.Id.Began > now)
            {
                yield return "dated in the future";
            }

            if (backup == newest)
            {
                yield return "newest";
            }

            if (backup == newestVerified)
            {
                yield return "newest verified";
            }

            if (backup == windowBegins)
            {
                yield return $"begins the recovery window {RetentionPolicy.Words(policy.RecoveryWindow)}";
            }

            if (backup == runBegins)
            {
                yield return "begins the log of a running backup";
            }

            if (policy.KeepWithin > TimeSpan.Zero && backup.Id.Began <= now && backup.Id.Began > Before(newest!.Id.Began, policy.KeepWithin))
            {
                yield return $"within {RetentionPolicy.Words(policy.KeepWithin)}";
            }
        }
    }

    /// <summary>What a kept backup builds upon is kept. A parent is older than what builds upon it, so that one way through all of them is enough.</summary>
    private static void KeepParents(List<RetentionDecision> newestFirst, List<RetentionCandidate> backups)
    {
        for (var i = 0; i < newestFirst.Count; i++)
        {
            if (newestFirst[i].IsKept && backups[i].Parent is { } parent && newestFirst.FindIndex(d => d.Id == parent) is var at and >= 0)
            {
                newestFirst[at] = new RetentionDecision(parent, [.. newestFirst[at].KeptBecause, $"{backups[i].Id} builds upon it"], null);
            }
        }
    }

    /// <summary>So much before a moment, or the beginning of the calendar.</summary>
    internal static DateTimeOffset Before(DateTimeOffset moment, TimeSpan time) =>
        moment - DateTimeOffset.MinValue > time ? moment - time : DateTimeOffset.MinValue;

    /// <summary>
    /// From here on the log is kept whole. The window is counted back from the newest backup, not from now, lest a clock that is ahead or an outage make it begin
    /// later; without a window it begins when that one is complete. A backup that is being taken needs the log since it began: only it knows from where.
    /// </summary>
    /// <param name="newest">The newest backup that is not of the future.</param>
    /// <param name="window">The recovery window.</param>
    /// <param name="runningSince">When the oldest backup began that may still be being taken; null when none is.</param>
    internal static DateTimeOffset WholeLogSince(RetentionCandidate newest, TimeSpan window, DateTimeOffset? runningSince)
    {
        var since = window > TimeSpan.Zero ? Before(newest.Id.Began, window) : newest.Ended;
        return runningSince < since ? runningSince.Value : since;
    }

    /// <summary>The newest backup that was complete at a moment: with the log behind it, every later moment can be restored.</summary>
    private static RetentionCandidate? CompleteAt(List<RetentionCandidate> newestFirst, DateTimeOffset moment) => newestFirst.FirstOrDefault(b => b.Ended <= moment);

    private static List<Period> PeriodsOf(RetentionPolicy policy)
    {
        var taken = 0;
        return
        [
            new Period("last", policy.KeepLast, _ => taken++.ToString(CultureInfo.InvariantCulture), showsKey: false),
            new Period("daily", policy.KeepDaily, id => id.Began.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
            new Period("weekly", policy.KeepWeekly, id => string.Create(
                CultureInfo.InvariantCulture, $"{ISOWeek.GetYear(id.Began.UtcDateTime):D4}-W{ISOWeek.GetWeekOfYear(id.Began.UtcDateTime):D2}")),
            new Period("monthly", policy.KeepMonthly, id => id.Began.ToString("yyyy-MM", CultureInfo.InvariantCulture)),
        ];
    }

    private static string WhyItGoes(BackupId id, List<Period> periods, RetentionPolicy policy) =>
        periods.FirstOrDefault(period => period.WasPassedOver) is { } passed
            ? $"a newer backup stands for {passed.Name} {passed.KeyOf(id)}"
            : $"beyond {policy}";

    /// <summary>One count of the policy on its way from the newest backup to the oldest. Each has its own memory: week 05 and month 05 are never confused.</summary>
    private sealed class Period(string name, int count, Func<BackupId, string> key, bool showsKey = true)
    {
        private readonly string? countInWords = showsKey ? null : count == RetentionPolicy.All ? name : string.Create(CultureInfo.InvariantCulture, $"{name} {count}");
        private int left = count;
        private string? last;

        public string Name => name;

        /// <summary>The backup that was just looked at came second in its period, while there was still a count left.</summary>
        public bool WasPassedOver { get; private set; }

        public string KeyOf(BackupId id) => key(id);

        public string? Keeps(BackupId id, bool isOldest)
        {
            WasPassedOver = false;
            if (left == 0)
            {
                return null;
            }

            var own = key(id);
            if (own == last && !isOldest)
            {
                WasPassedOver = true;
                return null;
            }

            var words = countInWords ?? $"{name} {own}";
            words = own == last ? $"oldest {words}" : words;
            last = own;
            left = left == RetentionPolicy.All ? left : left - 1;
            return words;
        }
    }
}
