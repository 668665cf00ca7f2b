using System.Globalization;
using System.Text.Json;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis;

/// <summary>Where this source's things lie in the repository.</summary>
internal sealed class RedisCatalog(BackupRepository repository)
{
    public const string Source = "redis";

    private const string Suffix = ".json";

    private readonly DocumentFolder servers = repository.OpenFolder("redis/servers");
    private readonly DocumentFolder successions = repository.OpenFolder("redis/succession");

    public static SnapshotLayout Layout { get; } = new(Source, "redis/redis_backup_", '.');

    /// <summary>The stream's log, for a writer that begins at <paramref name="origin"/> or for any reader.</summary>
    /// <param name="writer">The lease, for whoever writes.</param>
    public LogArchive OpenLog(ulong origin = 0, WriterLease? writer = null) => repository.OpenLog("redis/stream", new StreamNaming(origin), writer);

    public async Task<BackupListing<RedisBase>> ListBasesAsync(CancellationToken cancellationToken)
    {
        var backups = await repository.ListBackupsAsync(Layout, cancellationToken);
        var sound = new List<RedisBase>();
        var damaged = backups.Damaged.ToList();
        foreach (var backup in backups)
        {
            try
            {
                sound.Add(Read(backup));
            }
            catch (NotRestorableException damage)
            {
                damaged.Add(new DamagedBackup(backup.Id, $"{Layout.Prefix}{backup.Id}.manifest.json", damage.Message));
            }
        }

        return new BackupListing<RedisBase>(sound, damaged);
    }

    public static RedisBase Read(SealedBackup backup)
    {
        try
        {
            var details = backup.Manifest.Details.Deserialize(RedisJson.Default.BaseDetails) ?? throw new JsonException("null");
            return backup.Manifest.Objects.Count(o => o.Name == RedisBase.ObjectName) == 1
                && (details.ReplicationId is null || Replication.IsId(details.ReplicationId))
                ? new RedisBase(backup, details)
                : throw new JsonException("not a base");
        }
        catch (JsonException)
        {
            throw new NotRestorableException($"The manifest of Redis backup {backup.Id} is damaged: its details cannot be read.");
        }
    }

    /// <summary>The servers of the archive's last history, the newest last, and the number of that one. Older ones are not read.</summary>
    /// <exception cref="NotRestorableException">One is damaged: it is not known who may write.</exception>
    public async Task<(ulong Number, IReadOnlyList<KnownServer> Last)> ReadLastServersAsync(CancellationToken cancellationToken)
    {
        var names = (await servers.ListAsync(cancellationToken)).Where(name => NumberOf(name) > 0).ToList();
        List<KnownServer> last = [];
        for (var i = names.Count - 1; i >= 0; i--)
        {
            var known = await servers.FindAsync(names[i], RedisJson.Default.KnownServer, cancellationToken)
                ?? throw new NotRestorableException($"The document 'redis/servers/{names[i]}' was listed and is gone.");
            if (last.Count > 0 && known.ReplicationId != last[0].ReplicationId)
            {
                break;
            }

            last.Insert(0, known);
        }

        return (names.Count == 0 ? 0 : NumberOf(names[^1]), last);
    }

    /// <summary>False when another agent was first.</summary>
    public Task<bool> RecordServerAsync(ulong number, KnownServer server, CancellationToken cancellationToken) =>
        servers.PutAsync(string.Create(CultureInfo.InvariantCulture, $"{number:x16}{Suffix}"), server, RedisJson.Default.KnownServer, cancellationToken);

    public async Task<IReadOnlyList<Succession>> ListSuccessionsAsync(CancellationToken cancellationToken)
    {
        List<Succession> found = [];
        foreach (var name in await successions.ListAsync(cancellationToken))
        {
            found.Add(await successions.FindAsync(name, RedisJson.Default.Succession, cancellationToken)
                ?? throw new NotRestorableException($"The document 'redis/succession/{name}' was listed and is gone."));
        }

        return found;
    }

    public Task RecordSuccessionAsync(Succession succession, CancellationToken cancellationToken) =>
        successions.PutAsync(succession.RestoreId + Suffix, succession, RedisJson.Default.Succession, cancellationToken);

    private static ulong NumberOf(string name) =>
        name.Length == 16 + Suffix.Length && name.EndsWith(Suffix, StringComparison.Ordinal)
        && ulong.TryParse(name.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
            ? number
            : 0;

    /// <summary>Removes the chunks whose bytes a whole segment holds, left behind by an agent that died between the two.</summary>
    /// <returns>The inventory without them.</returns>
    public static async Task<LogInventory> RemoveCoveredChunksAsync(LogArchive archive, LogInventory inventory, CancellationToken cancellationToken)
    {
        var segments = inventory.Pieces.Where(p => p.IsSegment).ToLookup(p => p.Lineage);
        List<LogPiece> covered =
            [.. inventory.Pieces.Where(p => !p.IsSegment && segments[p.Lineage].Any(s => s.Range.Start <= p.Range.Start && p.Range.End <= s.Range.End))];
        await archive.RemoveAsync(covered, cancellationToken);
        return inventory with { Pieces = [.. inventory.Pieces.Except(covered)] };
    }
}
