using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Redis.Tail;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>Takes one base: the one that came with the stream if that is fresh, or else a copy over a second connection, while the stream goes on.</summary>
internal sealed partial class BaseTaker(
    RedisOptions options, RedisCatalog catalog, BackupRepository repository, RedisTail tail, LineageGuard guard, WriterLeases leases, TimeProvider clock, ILogger<BaseTaker> logger)
{
    private readonly WriterLease lease = leases.For(RedisCatalog.Source);

    private WriterLease? Held => lease.IsHeld ? lease : null;

    /// <summary>A copy that the tail is taking is waited for, not doubled.</summary>
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan SynchroniseBound = TimeSpan.FromMinutes(30);

    public async Task<RedisBase> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        try
        {
            while (tail.State.IsCopying)
            {
                await Task.Delay(Poll, clock, cancellationToken);
            }

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
        if (options is { Mode: RedisMode.Snapshot, Snapshot.Directory: { } directory })
        {
            return await SaveAsync(directory, progress, cancellationToken);
        }

        try
        {
            return await ReplicateAsync(progress, cancellationToken);
        }
        catch (RedisErrorException refused) when (options.Mode == RedisMode.Snapshot && RedisFailure.IsReplicationRefused(refused))
        {
            LogScanning(refused.Message);
            return await ScanAsync(progress, cancellationToken);
        }
    }

    /// <summary>The copy that a replica gets, over a connection of its own: nothing is written to the server's disk.</summary>
    private async Task<RedisBase> ReplicateAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var (connection, info, admission) = await OpenAsync(cancellationToken);
        await using var owned = connection;
        await Replication.IntroduceAsync(connection, onlySnapshot: true, cancellationToken);
        var start = await Replication.SynchroniseAsync(connection, null, SynchroniseBound, clock, cancellationToken);
        var at = clock.GetUtcNow();
        admission = await ConfirmAsync(admission, start.Position.ReplicationId, cancellationToken);
        var taken = await BaseCopy.TakeAsync(connection, repository, Held, start.Position, at, info.Version, progress, SilenceWatch.Bound, clock, cancellationToken);
        await guard.RecordAsync(admission, cancellationToken);
        return taken;
    }

    private async Task<(RedisConnection Connection, ServerInfo Info, Admission Admission)> OpenAsync(CancellationToken cancellationToken)
    {
        var (connection, info) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
        try
        {
            await repository.PrepareAsync(cancellationToken);
            var end = ArchiveEnd.Of(await catalog.OpenLog().ReadInventoryAsync(cancellationToken), await catalog.ListBasesAsync(cancellationToken));
            return (connection, info, await guard.AdmitAsync(connection, info, end, cancellationToken));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>A server is adopted only while no other agent writes.</summary>
    private async Task<Admission> ConfirmAsync(Admission admission, string? replicationId, CancellationToken cancellationToken)
    {
        if (admission.Right != RightToWrite.Adopted)
        {
            return await guard.ConfirmAsync(admission, replicationId, isContinuation: false, cancellationToken);
        }

        await using var hold = await lease.HoldAsync(cancellationToken);
        return await guard.ConfirmAsync(admission, replicationId, isContinuation: false, cancellationToken);
    }

    /// <summary>BGSAVE, and the server's file where the agent sees it. The open file stays what it is when the server replaces it.</summary>
    private async Task<RedisBase> SaveAsync(string directory, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var (connection, info, admission) = await OpenAsync(cancellationToken);
        await using var owned = connection;
        admission = await ConfirmAsync(admission, null, cancellationToken);
        progress.Report(new TransferProgress("save", 0, null));
        var at = clock.GetUtcNow();
        var saved = await new BackgroundSave(connection, options.Snapshot.SaveTimeout, clock).RunAsync(cancellationToken);
        var path = Path.Combine(directory, saved.FileName);
        await using var file = Open(path);
        await using var writer = await BaseWriter.BeginAsync(repository, Held, file.Length, progress, cancellationToken);
        var buffer = new byte[256 << 10];
        while (await file.ReadAsync(buffer, cancellationToken) is var count && count > 0)
        {
            await writer.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }

        if (writer.WrittenAt is { } written && written < saved.NotBefore)
        {
            throw new SourceException(
                $"'{path}' is of {DateTimeOffset.FromUnixTimeSeconds(written).UtcDateTime:O}, older than the save that has just ended. Is Redis:Snapshot:Directory the server's own directory?",
                isPermanent: true);
        }

        var taken = await writer.SealAsync(BaseMethod.BackgroundSave, writer.Position, at, info.Version, cancellationToken);
        await guard.RecordAsync(admission, cancellationToken);
        return taken;
    }

    private async Task<RedisBase> ScanAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var (connection, info, admission) = await OpenAsync(cancellationToken);
        await using var owned = connection;
        admission = await ConfirmAsync(admission, null, cancellationToken);
        var at = clock.GetUtcNow();
        await using var writer = await BaseWriter.BeginAsync(repository, Held, null, progress, cancellationToken);
        await using var silence = new SilenceWatch(connection.Reader, SilenceWatch.Bound, clock, cancellationToken);
        try
        {
            await new KeyScan(connection, writer.WriteAsync).RunAsync(RdbVersions.WrittenBy(info.Version), silence.Token);
        }
        catch (OperationCanceledException) when (silence.HasEnded)
        {
            throw new ConnectionLostException($"The server has not said anything for {SilenceWatch.Bound.TotalSeconds:F0} s.");
        }

        var taken = await writer.SealAsync(BaseMethod.Scan, null, at, info.Version, cancellationToken);
        await guard.RecordAsync(admission, cancellationToken);
        return taken;
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions { Access = FileAccess.Read, Share = FileShare.ReadWrite | FileShare.Delete, Options = FileOptions.Asynchronous | FileOptions.SequentialScan });
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new SourceException(
                $"The server has saved, but '{path}' cannot be read: {unreadable.Message} Mount the server's directory (CONFIG GET dir) there, readable for the agent, or leave Redis:Snapshot:Directory out.",
                isPermanent: true,
                unreadable);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Refusal} The snapshot is taken key by key instead, which is no single moment.")]
    private partial void LogScanning(string refusal);

    [LoggerMessage(Level = LogLevel.Information, Message = "Base {Id} is sealed: {Keys} keys, by {Method}.")]
    private partial void LogTaken(BackupId id, long? keys, string method);
}
