using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>Takes the copy that follows FULLRESYNC straight into the repository, without a local disk.</summary>
internal static class BaseCopy
{
    /// <param name="at">When the server said where its copy ends: it had just forked then, or was about to. Nothing that takes time lies between the two.</param>
    public static async Task<RedisBase> TakeAsync(
        RedisConnection connection, BackupRepository repository, WriterLease? lease, StreamPosition position, DateTimeOffset at, string? serverVersion,
        IProgress<TransferProgress> progress, TimeSpan silenceBound, TimeProvider clock, CancellationToken cancellationToken)
    {
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
