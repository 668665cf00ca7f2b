using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Schedules;

/// <summary>What the repository was last seen to hold of one source.</summary>
/// <param name="Newest">Its newest backup.</param>
/// <param name="Backups">How many there are.</param>
/// <param name="StoredBytes">What the backups seen since the process began take or took in the store; never falls.</param>
/// <param name="Log">What its log allowed when the repository was read.</param>
internal sealed record CatalogState(SealedBackup? Newest, int Backups, long StoredBytes, LogListing? Log)
{
    /// <summary>A month of daily backups and more, for people to look at; older ones are in the listing.</summary>
    public const int MostRecent = 60;

    /// <summary>The newest backups, oldest first.</summary>
    public IReadOnlyList<SealedBackup> Recent { get; init; } = [];

    /// <summary>The newest backup that was read back whole, by whomever.</summary>
    public SealedBackup? NewestVerified { get; init; }

    /// <summary>This process's last verification; null before the first.</summary>
    public LastVerification? Verification { get; init; }
}

/// <summary>A verification that came to its end.</summary>
internal sealed record LastVerification(DateTimeOffset At, VerifyReport Report);

/// <summary>
/// The repository as last seen, so that metrics and schedules need not ask the store each time. It is read at start, which is how a new process knows
/// of the successes of the one before. May be used from any thread.
/// </summary>
internal sealed class CatalogView
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, CatalogState> states = [];
    private readonly HashSet<(string Source, BackupId Id)> seen = [];

    /// <summary>Null until the repository has been read once.</summary>
    public CatalogState? this[string source]
    {
        get
        {
            lock (gate)
            {
                return states.GetValueOrDefault(source);
            }
        }
    }

    /// <summary>When a job last succeeded: of backups the repository is the truth, whoever took them; of other work the book of runs.</summary>
    public DateTimeOffset? LastSuccess(Job job, JobState state) => job.Kind == JobKind.Backup
        ? this[job.Entry.Name]?.Newest?.CurrentAt
        : state.Runs.LastOrDefault(run => run.Outcome == RunOutcome.Succeeded)?.Ended;

    public void Read(SourceListing listing)
    {
        lock (gate)
        {
            var fresh = listing.Backups.Where(backup => seen.Add((listing.Source, backup.Id))).Sum(backup => backup.StoredBytes);
            var stored = (states.GetValueOrDefault(listing.Source)?.StoredBytes ?? 0) + fresh;
            states[listing.Source] = new CatalogState(listing.Backups.MaxBy(backup => backup.Id), listing.Backups.Count, stored, listing.Log)
            {
                Recent = [.. listing.Backups.OrderBy(backup => backup.Id).TakeLast(CatalogState.MostRecent)],
                NewestVerified = listing.Backups.Where(backup => backup.VerifiedAt is not null).MaxBy(backup => backup.Id),
                Verification = states.GetValueOrDefault(listing.Source)?.Verification,
            };
        }
    }

    public void Verified(VerifyReport report, DateTimeOffset at)
    {
        lock (gate)
        {
            var state = states.GetValueOrDefault(report.Source) ?? new CatalogState(null, 0, 0, null);
            states[report.Source] = state with { Verification = new LastVerification(at, report) };
        }
    }

    public void Sealed(string source, SealedBackup backup)
    {
        lock (gate)
        {
            var state = states.GetValueOrDefault(source) ?? new CatalogState(null, 0, 0, null);
            states[source] = seen.Add((source, backup.Id))
                ? state with
                {
                    Newest = backup,
                    Backups = state.Backups + 1,
                    StoredBytes = state.StoredBytes + backup.StoredBytes,
                    Recent = [.. state.Recent.Append(backup).TakeLast(CatalogState.MostRecent)],
                }
                : state with { Newest = backup };
        }
    }
}
