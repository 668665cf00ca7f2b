using System.Text;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Lineage;

/// <summary>
/// Keeps copies out of the original's archive: a restored server that nobody said takes the original's place, and the original once another has taken it.
/// A copy has the same system identifier and, up to a point, the same log; its mark and its history are what tells them apart.
/// </summary>
internal sealed partial class LineageGuard(
    PostgresCatalog catalog, AdoptionConsent consent, AgentIdentity agent, TimeProvider clock, ILogger<LineageGuard> logger)
{
    /// <summary>For whoever holds the lease: the server must be the one that the archive goes on with. Adopts it when it may.</summary>
    /// <exception cref="SourceException">It must not write here; the message says why and what to do.</exception>
    public async Task RequireAsync(ServerLineage server, LogArchive archive, LogInventory inventory, CancellationToken cancellationToken)
    {
        var adoptions = await catalog.ListAdoptionsAsync(cancellationToken);
        var right = await FindRightAsync(server, inventory, adoptions, cancellationToken);
        await RequireHistoryAsync(server, archive, inventory, adoptions, right, cancellationToken);
        if (server.Restored is not { } restored || right == RightToWrite.Adopted)
        {
            return;
        }

        // In an archive of its own a copy is nobody's copy.
        var isEmpty = inventory is { Pieces.Count: 0, Gaps.Count: 0, Files.Count: 0 } && (await catalog.ListBackupsAsync(cancellationToken)) is { Count: 0, Damaged.Count: 0 };
        if (!isEmpty && right is RightToWrite.None or RightToWrite.Overtaken)
        {
            throw NotAdopted(restored, right);
        }

        if (server.Identity.IsStandby)
        {
            throw new SourceException($"The restored server is still recovering, up to {server.Identity.Position} so far. Waiting until it has its own timeline.", isPermanent: false);
        }

        // Two copies of one moment have the same number and even the same history file, and differ from then on: the first to be adopted has it.
        if (NewestTimeline(inventory, adoptions) == server.History.Timeline)
        {
            throw new SourceException(
                $"The server of restore {restored} cannot be adopted: the repository has timeline {server.History.Timeline} of another server. "
                + "Restore again and adopt that one, or give this server a Storage prefix of its own.",
                isPermanent: true);
        }

        if (isEmpty || right == RightToWrite.Successor || consent.TryUse(PostgresCatalog.Source, restored.ToString()))
        {
            await AdoptAsync(server, restored, cancellationToken);
        }
    }

    /// <summary>For a backup beside the agent that holds the lease, or before it is taken: a copy is refused unless it is, or is about to be, adopted.</summary>
    /// <exception cref="SourceException">It must not write here; the message says why and what to do.</exception>
    public async Task RequireKnownAsync(ServerLineage server, LogArchive archive, CancellationToken cancellationToken)
    {
        var adoptions = await catalog.ListAdoptionsAsync(cancellationToken);
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        var right = await FindRightAsync(server, inventory, adoptions, cancellationToken);
        await RequireHistoryAsync(server, archive, inventory, adoptions, right, cancellationToken);
        if (server.Restored is { } restored && inventory.Pieces.Count > 0 && right is RightToWrite.None or RightToWrite.Overtaken)
        {
            throw NotAdopted(restored, right);
        }
    }

    private async Task<RightToWrite> FindRightAsync(
        ServerLineage server, LogInventory inventory, IReadOnlyList<Adoption> adoptions, CancellationToken cancellationToken)
    {
        if (server.Restored is not { } restored)
        {
            return RightToWrite.None;
        }

        if (adoptions.Any(a => a.RestoreId == restored.ToString()))
        {
            return RightToWrite.Adopted;
        }

        if (consent.Covers(PostgresCatalog.Source, restored.ToString()))
        {
            return RightToWrite.Consent;
        }

        return await catalog.FindSuccessionAsync(restored, cancellationToken) switch
        {
            null => RightToWrite.None,
            { } succession when succession.Archive == ArchiveEnd.Of(inventory) => RightToWrite.Successor,
            _ => RightToWrite.Overtaken,
        };
    }

    /// <summary>The newest timeline that the archive knows of must be one that this server went through.</summary>
    private static async Task RequireHistoryAsync(
        ServerLineage server, LogArchive archive, LogInventory inventory, IReadOnlyList<Adoption> adoptions, RightToWrite right, CancellationToken cancellationToken)
    {
        var newest = NewestTimeline(inventory, adoptions);
        if (newest == 0 || server.History.Contains(newest))
        {
            return;
        }

        var position = server.Identity.Position;
        if (newest < server.History.Timeline)
        {
            // A restore to a moment before a failover grows out of an older timeline: allowed, once somebody has said so.
            if (right is RightToWrite.Adopted or RightToWrite.Consent or RightToWrite.Successor)
            {
                return;
            }

            throw server.Restored is { } unadopted
                ? NotAdopted(unadopted, right)
                : new SourceException(
                    $"The repository has WAL of timeline {newest}, of which this server on timeline {server.History.Timeline} knows nothing: it is the copy of a cluster "
                    + "that went another way. Nothing was changed. Point the agent at the current primary, or give this server a Storage prefix of its own.",
                    isPermanent: true);
        }

        var fork = await FindForkAsync(server.History, newest, archive, inventory, adoptions, cancellationToken);
        if (server.Identity.IsStandby && fork is { } ahead && position <= ahead.At)
        {
            throw new SourceException(
                $"The standby has WAL of timeline {server.History.Timeline} up to {position}; the cluster has gone on to timeline {newest} at {ahead.At}. Waiting for it to follow.",
                isPermanent: false);
        }

        throw new SourceException(
            (fork is { } known
                ? $"Timeline {known.Timeline} ended at {known.At}, when {known.Successor} took over on timeline {newest}. "
                : $"The server is on timeline {server.History.Timeline}, the repository has WAL of timeline {newest}: this server is an older copy of the cluster. ")
            + $"This server has timeline {server.History.Timeline} up to {position} and must not write here any more. Nothing was changed. Rebuild it as a standby of the "
            + "current primary, point the agent there, or give this server a Storage prefix of its own.",
            isPermanent: true);
    }

    private static uint NewestTimeline(LogInventory inventory, IReadOnlyList<Adoption> adoptions) => inventory.Pieces
        .Select(p => p.Lineage)
        .Concat(inventory.Gaps.Select(g => g.Lineage))
        .Distinct()
        .Select(WalNaming.Timeline)
        .Concat(inventory.Files.Keys.Select(name => TimelineHistory.TryParseFileName(name, out var timeline) ? timeline : 0))
        .Concat(adoptions.Select(a => a.Timeline))
        .DefaultIfEmpty()
        .Max();

    /// <summary>Where the way of the newest timeline left this server's; null when that is not known.</summary>
    private static async Task<(uint Timeline, Lsn At, string Successor)?> FindForkAsync(
        TimelineHistory server, uint newest, LogArchive archive, LogInventory inventory, IReadOnlyList<Adoption> adoptions, CancellationToken cancellationToken)
    {
        var adopted = adoptions.FirstOrDefault(a => a.Timeline == newest);
        var successor = adopted is null
            ? "another server"
            : $"the server of restore {adopted.RestoreId}, adopted at {adopted.AdoptedAt.UtcDateTime:u},";
        if (adopted is { Parent: { } parent, SwitchPoint: { } at } && server.Contains(parent))
        {
            return (parent, Lsn.Parse(at), successor);
        }

        var name = TimelineHistory.FileName(newest);
        if (!inventory.Files.ContainsKey(name))
        {
            return null;
        }

        var history = TimelineHistory.Parse(newest, Encoding.UTF8.GetString(await archive.ReadFileAsync(name, cancellationToken)));
        return history.Ancestors.LastOrDefault(a => server.Contains(a.Timeline)) is { } last ? (last.Timeline, last.SwitchPoint, successor) : null;
    }

    private async Task AdoptAsync(ServerLineage server, RestoreId restored, CancellationToken cancellationToken)
    {
        var parent = server.History.Ancestors is [.., var last] ? last : null;
        await catalog.RecordAdoptionAsync(
            new Adoption
            {
                RestoreId = restored.ToString(),
                SystemIdentifier = server.Identity.SystemIdentifier,
                Timeline = server.History.Timeline,
                Parent = parent?.Timeline,
                SwitchPoint = parent?.SwitchPoint.ToString(),
                AdoptedAt = clock.GetUtcNow(),
                By = agent.Instance,
            },
            cancellationToken);
        LogAdopted(restored, server.History.Timeline);
    }

    private static SourceException NotAdopted(RestoreId restored, RightToWrite right) => new(
        $"This server was restored from a backup at {restored.At.UtcDateTime:u} (restore {restored}); "
        + (right == RightToWrite.Overtaken
            ? "it was to take the original's place, but the archive has gone on since: the original lives, or another took its place. Nothing was changed. "
            : "it may be a copy of a cluster that still lives. Nothing was changed. ")
        + "If it takes the original's place, start the agent once with --adopt (or: backup postgres --adopt, or Agent:Adopt set to this restore); "
        + "if it is a copy, give it a Storage prefix of its own.",
        isPermanent: true);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The server of restore {Restore} was adopted: the archive goes on with it on timeline {Timeline}, and whoever is on an older one is refused.")]
    private partial void LogAdopted(RestoreId restore, uint timeline);
}
