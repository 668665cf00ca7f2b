using System.Buffers.Binary;
using System.Globalization;
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
    /// <summary>Read once: a repository is bound to its cluster for good. Before anything is said to be absent it is read again.</summary>
    private ClusterIdentity? known;

    public async Task<bool> FetchAsync(string file, string path, string serverPath, CancellationToken cancellationToken)
    {
        var identity = await IdentityAsync(cancellationToken);
        RequireSameCluster(serverPath, identity);
        var archive = catalog.OpenLog(new WalSegmentSize(identity.WalSegmentBytes));
        if (await TryFetchAsync(archive, file, path, identity, cancellationToken))
        {
            return true;
        }

        // A store whose content is gone (a volume that is no longer mounted lists as an empty folder) must not pass for the end of the log.
        return await catalog.RequireIdentityAsync(cancellationToken) == identity
            ? false
            : throw new NotRestorableException("The repository became another cluster's while it was read. Check Storage (bucket, prefix, path).");
    }

    public async Task<IReadOnlyList<string>> FollowingAsync(string file, long bytes, CancellationToken cancellationToken)
    {
        var size = new WalSegmentSize((await IdentityAsync(cancellationToken)).WalSegmentBytes);
        if (!WalSegment.TryParse(file, size, out var segment))
        {
            return [];
        }

        var following = new List<string>();
        for (var count = Math.Max(2, bytes / size.Bytes); count > 0; count--)
        {
            segment = segment.Next;
            following.Add(segment.Name);
        }

        return following;
    }

    public async Task<bool> FetchWholeAsync(string segment, string path, CancellationToken cancellationToken)
    {
        if (await FindWholeAsync(segment, cancellationToken) is not { } found)
        {
            return false;
        }

        await WalFileWriter.WriteAsync(found.Archive, found.File, path, found.Identity.SystemIdentifier, cancellationToken);
        return true;
    }

    private static async Task<bool> TryFetchAsync(LogArchive archive, string file, string path, ClusterIdentity identity, CancellationToken cancellationToken)
    {
        var size = new WalSegmentSize(identity.WalSegmentBytes);
        if (TimelineHistory.TryParseFileName(file, out var timeline))
        {
            return await FetchHistoryAsync(archive, timeline, path, cancellationToken);
        }

        if (WalSegment.TryParse(file, size, out var segment))
        {
            return await FetchSegmentAsync(archive, segment, path, identity, cancellationToken);
        }

        // Backup history files and .partial segments are never stored.
        return IsKnownKind(file)
            ? false
            : throw new UsageException($"'{file}' is not the name of a WAL segment of {size} or of a timeline history. Use restore_command = '… wal-fetch %f %p'.");
    }

    private async Task<(LogArchive Archive, WalFile File, ClusterIdentity Identity)?> FindWholeAsync(string file, CancellationToken cancellationToken)
    {
        var identity = await IdentityAsync(cancellationToken);
        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var archive = catalog.OpenLog(size);
        return WalSegment.TryParse(file, size, out var segment)
            && await archive.FindSegmentAsync(WalNaming.Lineage(segment.Timeline), segment.Start.Value, cancellationToken) is { } whole
                ? (archive, new WalFile(segment, [whole]), identity)
                : null;
    }

    private async Task<ClusterIdentity> IdentityAsync(CancellationToken cancellationToken) =>
        known ??= await catalog.RequireIdentityAsync(cancellationToken);

    /// <summary>The data directory that asks is the one around pg_wal; where there is one, it says whose log it can replay.</summary>
    private static void RequireSameCluster(string path, ClusterIdentity identity)
    {
        if (Path.GetDirectoryName(Path.GetDirectoryName(Path.GetFullPath(path))) is not { } dataDirectory
            || !File.Exists(Path.Combine(dataDirectory, Unpacker.ControlFile)))
        {
            return;
        }

        // The first field of pg_control, since PostgreSQL 8.0 at least.
        Span<byte> identifier = stackalloc byte[sizeof(ulong)];
        using var control = File.OpenRead(Path.Combine(dataDirectory, Unpacker.ControlFile));
        if (control.ReadAtLeast(identifier, identifier.Length, throwOnEndOfStream: false) == identifier.Length
            && BinaryPrimitives.ReadUInt64LittleEndian(identifier).ToString(CultureInfo.InvariantCulture) is var own && own != identity.SystemIdentifier)
        {
            throw new NotRestorableException(
                $"The server in '{dataDirectory}' is of the cluster {own}, the repository belongs to {identity.SystemIdentifier}. Check Storage (bucket, prefix, path).");
        }
    }

    private static async Task<bool> FetchHistoryAsync(LogArchive archive, uint timeline, string path, CancellationToken cancellationToken)
    {
        var name = TimelineHistory.FileName(timeline);
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        if (!inventory.Files.ContainsKey(name))
        {
            // A server that is told that there is no such timeline takes its number for a new one.
            return WalPath.MissingHistories(inventory).Contains(name)
                ? throw new NotRestorableException($"The history file '{name}' is missing from the repository, although WAL of its timeline is there.")
                : false;
        }

        var content = await archive.ReadFileAsync(name, cancellationToken);
        var temporary = path + WalFileWriter.TemporarySuffix;
        try
        {
            await File.WriteAllBytesAsync(temporary, content, cancellationToken);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        return true;
    }

    private static async Task<bool> FetchSegmentAsync(
        LogArchive archive, WalSegment segment, string path, ClusterIdentity identity, CancellationToken cancellationToken)
    {
        var lineage = WalNaming.Lineage(segment.Timeline);

        // Nearly every call is for a whole segment, and a listing of a large archive takes seconds.
        if (await archive.FindSegmentAsync(lineage, segment.Start.Value, cancellationToken) is { } whole)
        {
            await WalFileWriter.WriteAsync(archive, new WalFile(segment, [whole]), path, identity.SystemIdentifier, cancellationToken);
            return true;
        }

        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        var cover = inventory.Cover(lineage, segment.Start.Value, segment.End.Value);
        if (cover.End < segment.End.Value && WhyMissing(inventory, lineage, segment, new Lsn(cover.End)) is { } hole)
        {
            throw new NotRestorableException($"WAL segment {segment} is missing from the repository from {new Lsn(cover.End)} on, although {hole}.");
        }

        if (cover.Pieces.Count == 0)
        {
            return false;
        }

        await WalFileWriter.WriteAsync(archive, new WalFile(segment, cover.Pieces), path, identity.SystemIdentifier, cancellationToken);
        return true;
    }

    /// <summary>Why this is not the end of the timeline's log, or null when it is.</summary>
    private static string? WhyMissing(LogInventory inventory, string lineage, WalSegment segment, Lsn end)
    {
        if (inventory.Pieces.Any(p => p.Lineage == lineage && p.Range.Start >= end.Value && p.Range.End > segment.Start.Value))
        {
            return $"later WAL of timeline {segment.Timeline} is there";
        }

        if (inventory.Gaps.FirstOrDefault(g => g.Lineage == lineage && g.Start < segment.End.Value && g.End > end.Value) is { } gap)
        {
            return $"the server had it: a gap was recorded at {gap.RecordedAt.UtcDateTime:O} ({gap.Reason})";
        }

        return inventory.Confirmation is { } confirmed && confirmed.Lineage == lineage && confirmed.Position > end.Value
            ? $"it was durable up to {new Lsn(confirmed.Position)}"
            : null;
    }

    private static bool IsKnownKind(string file) =>
        file.EndsWith(".backup", StringComparison.Ordinal) || file.EndsWith(".partial", StringComparison.Ordinal);
}
