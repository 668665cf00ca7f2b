using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>Takes the copy that follows FULLRESYNC straight into the repository, without a local disk.</summary>
internal static class BaseCopy
{
    public static async Task<RedisBase> TakeAsync(
        RedisConnection connection, BackupRepository repository, WriterLease? lease, StreamPosition position, string? serverVersion, IProgress<TransferProgress> progress,
        TimeSpan silenceBound, TimeProvider clock, CancellationToken cancellationToken)
    {
        // The server has just forked, or is about to and has said where it will.
        var at = clock.GetUtcNow();
        await using var silence = new SilenceWatch(connection.Reader, silenceBound, clock, cancellationToken);
        try
        {
            var transfer = await RdbTransfer.BeginAsync(connection.Reader, silence.Token);
            await using var writer = await BaseWriter.BeginAsync(repository, lease, transfer.Length, progress, cancellationToken);
            await transfer.ReadAsync(writer.WriteAsync, () => writer.IsWhole, silence.Token);
            return await writer.SealAsync(BaseMethod.Replication, position, at, serverVersion, cancellationToken);
        }
        catch (OperationCanceledException) when (silence.HasEnded)
        {
            throw new ConnectionLostException($"The server has not said anything for {silenceBound.TotalSeconds:F0} s in the middle of its copy.");
        }
    }
}
