using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Tail;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>Takes one base: the one that came with the stream if that is fresh, or else a copy over a second connection, while the stream goes on.</summary>
internal sealed partial class BaseTaker(
    RedisOptions options, BackupRepository repository, RedisTail tail, TimeProvider clock, ILogger<BaseTaker> logger)
{
    private static readonly TimeSpan SynchroniseBound = TimeSpan.FromMinutes(30);

    public async Task<RedisBase> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        try
        {
            if (tail.TakeFreshBase() is { } fresh)
            {
                return RedisCatalog.Read(fresh);
            }

            var taken = await CopyAsync(progress, cancellationToken);
            LogTaken(taken.Sealed.Id, taken.Details.Keys, taken.Details.Method);
            return taken;
        }
        catch (InvalidDataException damage)
        {
            throw new SourceException($"The snapshot was discarded: {damage.Message}.", isPermanent: false, damage);
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw RedisFailure.Explain(failure, options);
        }
    }

    private async Task<RedisBase> CopyAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var (connection, info) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
        await using var owned = connection;
        await Replication.IntroduceAsync(connection, onlySnapshot: true, cancellationToken);
        var start = await Replication.SynchroniseAsync(connection, null, SynchroniseBound, clock, cancellationToken);
        return await BaseCopy.TakeAsync(connection, repository, start.Position, info.Version, progress, SilenceWatch.Bound, clock, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Base {Id} is sealed: {Keys} keys, by {Method}.")]
    private partial void LogTaken(BackupId id, long? keys, string method);
}
