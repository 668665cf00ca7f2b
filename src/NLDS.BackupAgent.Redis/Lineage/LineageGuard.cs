using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Lineage;

/// <summary>Keeps copies and strangers out of an archive: a server that nobody knows goes on with it only in the place of the one that is known, or by somebody's word.</summary>
internal sealed partial class LineageGuard(
    RedisOptions options, RedisCatalog catalog, AdoptionConsent consent, AgentIdentity agent, TimeProvider clock, ILogger<LineageGuard> logger)
{
    /// <summary>Looks before anything is asked of the server that would cost it a fork.</summary>
    /// <exception cref="SourceException">It must not write here; the message says why and what to do.</exception>
    public async Task<Admission> AdmitAsync(RedisConnection connection, ServerInfo info, ArchiveEnd archive, CancellationToken cancellationToken)
    {
        var (number, last) = await catalog.ReadLastServersAsync(cancellationToken);
        var successions = await catalog.ListSuccessionsAsync(cancellationToken);
        var server = await ServerLineage.ReadAsync(connection, info, options, agent.Instance, [.. successions.Select(s => s.RestoreId)], cancellationToken);
        var admission = new Admission(server, archive, number, last, successions, RightToWrite.None);
        return server.IsKnown ? Judge(admission) : admission;
    }

    /// <summary>
    /// Once the server has said which history it is on: judges one that had not said so before, and writes down who goes on here, where that is news. Comes before the
    /// first byte of it is stored.
    /// </summary>
    /// <param name="isContinuation">The server goes on with the very history in which the archive ends.</param>
    /// <exception cref="SourceException">It must not write here; the message says why and what to do.</exception>
    public async Task<Admission> ConfirmAsync(Admission admission, string? replicationId, bool isContinuation, CancellationToken cancellationToken)
    {
        var server = admission.Server with { ReplicationId = replicationId ?? admission.Server.ReplicationId };
        var judged = admission.Right != RightToWrite.None ? admission with { Server = server }
            : isContinuation ? admission with { Server = server, Right = RightToWrite.SameHistory }
            : Judge(admission with { Server = server });

        // An empty archive stays empty until there is something to restore: a start that looks into it must find nothing, or a backup.
        return judged.Right == RightToWrite.First ? judged : await RecordAsync(judged, cancellationToken);
    }

    /// <summary>Writes down who goes on here, where that is news.</summary>
    public async Task<Admission> RecordAsync(Admission admission, CancellationToken cancellationToken)
    {
        var server = admission.Server;
        if (admission.Last.Any(known => known.ReplicationId == server.ReplicationId && known.RunId == server.RunId && known.Place == server.Place))
        {
            return admission;
        }

        if (admission.Right == RightToWrite.Adopted && !consent.TryUse(RedisCatalog.Source, server.Name))
        {
            throw Refusal(admission);
        }

        // What continues a restored server is one, wherever the mark has gone.
        var before = admission.Last.Count > 0 ? admission.Last[^1] : null;
        var known = new KnownServer
        {
            ReplicationId = server.ReplicationId,
            RunId = server.RunId,
            Place = server.Place,
            IsRestored = server.IsRestored || (admission.Right is RightToWrite.SameHistory or RightToWrite.SamePlace && before is { IsRestored: true }),
            RestoreId = server.RestoreId ?? (admission.Right is RightToWrite.SameHistory or RightToWrite.SamePlace ? before?.RestoreId : null),
            Right = admission.Right,
            RecordedAt = clock.GetUtcNow(),
            By = agent.Instance,
        };
        if (!await catalog.RecordServerAsync(admission.Number + 1, known, cancellationToken))
        {
            throw new SourceException("Another agent has just written down which server goes on in this archive. Looking again.", isPermanent: false);
        }

        if (admission.Right is RightToWrite.Adopted or RightToWrite.Successor)
        {
            LogAdopted(server.Name, server.Place, admission.Right);
        }

        return admission with { Number = admission.Number + 1, Last = [.. admission.Last, known] };
    }

    private Admission Judge(Admission admission)
    {
        var right = LineageRule.Judge(admission.Server, admission.Archive, admission.Last, admission.Successions, agent.Instance);
        if (right is RightToWrite.None or RightToWrite.Overtaken)
        {
            right = consent.Covers(RedisCatalog.Source, admission.Server.Name) ? RightToWrite.Adopted : throw Refusal(admission with { Right = right });
        }

        return admission with { Right = right };
    }

    private static SourceException Refusal(Admission admission)
    {
        var server = admission.Server;
        var known = admission.Last.Count > 0 ? admission.Last[^1] : null;
        return new SourceException(
            $"The server at {server.Place} (run id {server.Name}) "
            + (admission.Right == RightToWrite.Overtaken ? $"was made by restore {server.RestoreId} to take the original's place, but the archive has gone on since: the original lives, or another took its place. "
                : server.IsRestored ? "was restored from a backup: it may be a copy of a server that still lives. "
                : "has another history than the archive, and is not where the archive's server was: it may be a copy, or another server. ")
            + (known is null ? "" : $"The archive is that of the server at {known.Place}, last let in {known.RecordedAt.UtcDateTime:u}. ")
            + $"Nothing was changed. If this one takes its place, start the agent once with --adopt (or: backup redis --adopt, or Agent:Adopt set to {server.Name}); "
            + "if not, give it a Storage prefix of its own.",
            isPermanent: true);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The server {Server} at {Place} goes on with this archive from now on ({Right}), and the one before is refused.")]
    private partial void LogAdopted(string server, ServerPlace place, RightToWrite right);
}

/// <summary>A server that was looked at, and what the archive knew then.</summary>
/// <param name="Number">Of the last server that is written down; 0 for none.</param>
/// <param name="Last">The servers of the archive's last history, the newest last.</param>
internal sealed record Admission(
    ServerLineage Server, ArchiveEnd Archive, ulong Number, IReadOnlyList<KnownServer> Last, IReadOnlyList<Succession> Successions, RightToWrite Right);
