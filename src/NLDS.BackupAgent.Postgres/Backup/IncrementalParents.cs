using System.Globalization;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Backup;

/// <summary>What the next backup builds upon, or why it is a full one.</summary>
/// <param name="Parent">Null for a full backup.</param>
/// <param name="WhyFull">Null for an incremental one, and where nobody wants any.</param>
internal sealed record ParentChoice(BaseBackup? Parent, string? WhyFull)
{
    /// <summary>The server's block_size; of no meaning without a parent.</summary>
    public int BlockBytes { get; init; }
}

/// <summary>Chooses what an incremental backup builds upon: always the newest backup, and only when nothing speaks against it.</summary>
internal sealed class IncrementalParents(PostgresOptions options, BackupRepository repository, PostgresCatalog catalog, TimeProvider clock)
{
    private const int FirstMajor = 17;

    /// <summary>Backups of one second take the ids of the next ones.</summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMinutes(1);

    public async Task<ParentChoice> ChooseAsync(ReplicationConnection connection, ServerLineage lineage, CancellationToken cancellationToken)
    {
        if (options.FullBackup.FullEvery <= 1)
        {
            return new ParentChoice(null, null);
        }

        var summarizeWal = connection.ServerMajorVersion < FirstMajor ? "off" : await connection.ShowAsync("summarize_wal", cancellationToken);
        if (WhyUnable(connection.ServerMajorVersion, summarizeWal) is { } unable)
        {
            return new ParentChoice(null, unable);
        }

        var backups = await catalog.ListBackupsAsync(cancellationToken);
        if (backups.Count == 0)
        {
            return new ParentChoice(null, "there is none to build upon");
        }

        var newest = backups[^1];
        var why = WhyNot(newest, backups.Damaged, lineage.Identity) ?? await WhyIncompleteAsync(newest, cancellationToken);
        return why is null
            ? new ParentChoice(newest, null) { BlockBytes = int.Parse(await connection.ShowAsync("block_size", cancellationToken), CultureInfo.InvariantCulture) }
            : new ParentChoice(null, why);
    }

    /// <summary>Why a server takes no incremental backups, or null when it does. Pure.</summary>
    public static string? WhyUnable(int major, string summarizeWal) => (major, summarizeWal) switch
    {
        ( < FirstMajor, _) => $"PostgreSQL {major} takes no incremental backups; {FirstMajor} does",
        (_, not "on") => "the server's summarize_wal is off, so that it does not know what changed; set it on and reload",
        _ => null,
    };

    private string? WhyNot(BaseBackup newest, IReadOnlyList<DamagedBackup> damaged, SystemIdentity server)
    {
        if (damaged.FirstOrDefault(d => d.Id > newest.Sealed.Id) is { } newer)
        {
            return $"the newest backup cannot be restored: {newer.Reason}";
        }

        if (newest.Sealed.Id.Began > clock.GetUtcNow() + Ahead)
        {
            return $"the newest backup, {newest.Sealed.Id}, is dated in the future";
        }

        if (newest.Details.SystemIdentifier != server.SystemIdentifier || newest.Details.EndTimeline != server.Timeline)
        {
            return $"the newest backup, {newest.Sealed.Id}, is of timeline {newest.Details.EndTimeline}, and the server is on {server.Timeline}";
        }

        var chain = newest.Chain;
        return chain.FirstOrDefault(b => b.Sealed.IsKnownDamaged) is { } broken ? $"a verification found backup {broken.Sealed.Id} damaged"
            : chain.Count >= options.FullBackup.FullEvery ? $"it is the turn of one: {chain.Count} build upon {chain[0].Sealed.Id}, that one counted"
            : null;
    }

    /// <summary>No read of the archives, only a look: an incremental backup upon objects that are gone would be worth nothing.</summary>
    private async Task<string?> WhyIncompleteAsync(BaseBackup newest, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var content in newest.Chain.SelectMany(b => b.Sealed.Manifest.Objects))
            {
                await repository.RequireObjectAsync(content, cancellationToken);
            }

            return null;
        }
        catch (NotRestorableException incomplete)
        {
            return incomplete.Message.TrimEnd('.');
        }
    }
}
