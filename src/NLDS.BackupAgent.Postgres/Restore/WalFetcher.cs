using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// PostgreSQL's <c>restore_command</c>. The server takes "absent" for the end of the log and promotes, so it is said only where the repository's own listing
/// proves that nothing follows; a segment that is missing in the middle is a failure.
/// </summary>
internal sealed class WalFetcher(PostgresCatalog catalog) : IWalFetcher
{
    public async Task<bool> FetchAsync(string file, string path, CancellationToken cancellationToken)
    {
        var identity = await catalog.RequireIdentityAsync(cancellationToken);
        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var archive = catalog.OpenLog(size);
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        if (TimelineHistory.TryParseFileName(file, out _))
        {
            return await FetchFileAsync(archive, inventory, file, path, cancellationToken);
        }

        if (WalSegment.TryParse(file, size, out var segment))
        {
            return await FetchSegmentAsync(archive, inventory, segment, path, size, cancellationToken);
        }

        // Backup history files and .partial segments are never stored.
        return IsKnownKind(file)
            ? false
            : throw new UsageException($"'{file}' is not the name of a WAL segment of {size} or of a timeline history. Use restore_command = '… wal-fetch %f %p'.");
    }

    private static async Task<bool> FetchFileAsync(
        LogArchive archive, LogInventory inventory, string file, string path, CancellationToken cancellationToken)
    {
        if (!inventory.Files.ContainsKey(file))
        {
            return false;
        }

        var content = await archive.ReadFileAsync(file, cancellationToken);
        var temporary = path + ".nlds-tmp";
        await File.WriteAllBytesAsync(temporary, content, cancellationToken);
        File.Move(temporary, path, overwrite: true);
        return true;
    }

    private static async Task<bool> FetchSegmentAsync(
        LogArchive archive, LogInventory inventory, WalSegment segment, string path, WalSegmentSize size, CancellationToken cancellationToken)
    {
        var lineage = WalNaming.Lineage(segment.Timeline);
        var cover = inventory.Cover(lineage, segment.Start.Value, segment.End.Value);
        var reaches = cover.End >= segment.End.Value;
        if (!reaches && inventory.Pieces.Any(p => p.Lineage == lineage && p.Range.Start >= cover.End && p.Range.End > segment.Start.Value))
        {
            throw new NotRestorableException(
                $"WAL segment {segment} is missing from the repository from {new Lsn(cover.End)} on, although later WAL of timeline {segment.Timeline} is there.");
        }

        if (inventory.Confirmation is { } confirmed && confirmed.Lineage == lineage && confirmed.Position > Math.Max(cover.End, segment.Start.Value) && !reaches)
        {
            throw new NotRestorableException(
                $"WAL segment {segment} is missing from the repository from {new Lsn(cover.End)} on, although it was durable up to {new Lsn(confirmed.Position)}.");
        }

        if (cover.Pieces.Count == 0)
        {
            return false;
        }

        await WalFileWriter.WriteAsync(archive, new WalFile(segment, cover.Pieces), path, size, cancellationToken);
        return true;
    }

    private static bool IsKnownKind(string file) =>
        file.EndsWith(".backup", StringComparison.Ordinal) || file.EndsWith(".partial", StringComparison.Ordinal);
}
