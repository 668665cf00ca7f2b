using System.Text;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>What lies beside the WAL: gaps, named moments, timeline histories. Each is sound, and none is missing that something else tells of.</summary>
internal sealed class WalRecords(LogArchive archive, VerificationRun run)
{
    /// <param name="damaged">Records that the listing found damaged.</param>
    /// <param name="points">Restore points that were met in the WAL that was read.</param>
    /// <returns>The histories that can be relied on.</returns>
    public async Task<IReadOnlyDictionary<uint, TimelineHistory>> VerifyAsync(
        LogInventory inventory, List<DamagedRecord> damaged, IReadOnlyList<LogMark> points, CancellationToken cancellationToken)
    {
        var marks = new Dictionary<(string Lineage, ulong Start), LogMark>();
        await foreach (var mark in archive.ReadMarksAsync(damaged, cancellationToken))
        {
            marks[(mark.Lineage, mark.Start)] = mark;
            run.Sound(0);
        }

        foreach (var record in damaged)
        {
            run.Add(new DamageFinding(record.Key, record.Reason, CostOf(record.Key)));
        }

        foreach (var point in points.Where(p => !damaged.Any(d => d.Key == archive.NameOfMark(p.Lineage, p.Start))))
        {
            await RequireMarkAsync(point, marks.GetValueOrDefault((point.Lineage, point.Start)), cancellationToken);
        }

        return await ReadHistoriesAsync(inventory, cancellationToken);
    }

    private string CostOf(string key) => key switch
    {
        _ when key == archive.NameOfConfirmation => "no restore to a moment after a base backup can be planned until a running agent writes it again",
        _ when key.Contains("/marks/", StringComparison.Ordinal) => "a restore point cannot be found by its name",
        _ => "no restore can be planned, because nobody knows where this gap is",
    };

    /// <summary>An agent that dies between a segment and its marks leaves the names in the WAL only; from there they can be put back.</summary>
    private async Task RequireMarkAsync(LogMark point, LogMark? mark, CancellationToken cancellationToken)
    {
        if (mark == point)
        {
            return;
        }

        var key = archive.NameOfMark(point.Lineage, point.Start);
        var position = $"{new Lsn(point.End)} of {point.Time.UtcDateTime:O}";
        if (mark is null && run.Scope.Heals)
        {
            await archive.RecordMarkAsync(point, cancellationToken);
            run.Note($"The record of restore point '{point.Name}' at {position} was missing and was put back: '{key}'.");
            return;
        }

        run.Add(new DamageFinding(
            key,
            mark is null ? $"is missing from the repository, although the WAL has the restore point '{point.Name}' there" : $"is not the restore point '{point.Name}' that the WAL has there",
            $"restore to name:{point.Name} is impossible, or reaches another moment; its position is {position}"));
    }

    private async Task<IReadOnlyDictionary<uint, TimelineHistory>> ReadHistoriesAsync(LogInventory inventory, CancellationToken cancellationToken)
    {
        var wanted = inventory.ProvenFiles.Where(name => !inventory.Files.ContainsKey(name));
        foreach (var missing in WalPath.MissingHistories(inventory).Union(wanted).Order(StringComparer.Ordinal))
        {
            run.Add(new DamageFinding(archive.NameOfFile(missing), "is missing from the repository", "no restore can follow its timeline"));
        }

        var histories = new Dictionary<uint, TimelineHistory>();
        foreach (var (name, bytes) in inventory.Files.OrderBy(file => file.Key, StringComparer.Ordinal))
        {
            if (!TimelineHistory.TryParseFileName(name, out var timeline))
            {
                continue;
            }

            try
            {
                histories[timeline] = TimelineHistory.Parse(timeline, Encoding.UTF8.GetString(await archive.ReadFileAsync(name, cancellationToken)));
                run.Sound(bytes);
            }
            catch (Exception damage) when (damage is FormatException or NotRestorableException)
            {
                run.Add(new DamageFinding(archive.NameOfFile(name), damage.Message, $"no restore can follow timeline {timeline}"));
            }
        }

        return histories;
    }
}
