using System.Globalization;
using System.Text.Json;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>An RDB file on its way into the repository: walked through and checked while it passes, sealed only when it is whole.</summary>
internal sealed class BaseWriter : IAsyncDisposable
{
    private const long ReportEvery = 16 << 20;

    private readonly BackupSession session;
    private readonly ContentWriter writer;
    private readonly RdbScanner scanner = new();
    private readonly IProgress<TransferProgress> progress;
    private readonly long? total;

    private BaseWriter(BackupSession session, long? total, IProgress<TransferProgress> progress)
    {
        this.session = session;
        this.total = total;
        this.progress = progress;
        writer = session.BeginObject(RedisBase.ObjectName);
    }

    public BackupId Id => session.Id;

    public bool IsWhole => scanner.IsComplete;

    /// <summary>When the server began the file, in seconds since 1970 by its own clock, as the file says.</summary>
    public long? WrittenAt => long.TryParse(scanner.Fields.GetValueOrDefault("ctime"), CultureInfo.InvariantCulture, out var second) ? second : null;

    /// <summary>Where in the stream it is, as the file says.</summary>
    public StreamPosition? Position =>
        scanner.Fields.GetValueOrDefault("repl-id") is { } id && Replication.IsId(id)
        && ulong.TryParse(scanner.Fields.GetValueOrDefault("repl-offset"), CultureInfo.InvariantCulture, out var offset)
            ? new StreamPosition(id, offset)
            : null;

    /// <param name="lease">What must still be this process's when the base is sealed; null for one that is taken beside the agent that holds it.</param>
    public static async Task<BaseWriter> BeginAsync(BackupRepository repository, WriterLease? lease, long? total, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await repository.PrepareAsync(cancellationToken);
        return new BaseWriter(await repository.BeginBackupAsync(RedisCatalog.Layout, lease, cancellationToken), total, progress);
    }

    /// <exception cref="InvalidDataException">This is no RDB file, or a damaged one.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var before = scanner.Bytes;
        scanner.Feed(bytes.Span);
        await writer.WriteAsync(bytes, cancellationToken);
        if (scanner.Bytes / ReportEvery != before / ReportEvery)
        {
            progress.Report(new TransferProgress("snapshot", scanner.Bytes, total));
        }
    }

    /// <summary>Makes the base exist.</summary>
    /// <param name="position">Where in the stream it is; null when no stream continues it.</param>
    /// <exception cref="InvalidDataException">The file is not whole.</exception>
    public async Task<RedisBase> SealAsync(string method, StreamPosition? position, DateTimeOffset at, string? serverVersion, CancellationToken cancellationToken)
    {
        var summary = scanner.Complete();
        await session.SealObjectAsync(writer, cancellationToken);
        var details = new BaseDetails
        {
            Method = method,
            ReplicationId = position?.ReplicationId,
            Offset = position?.Offset,
            At = at,
            RedisVersion = serverVersion ?? summary.Fields.GetValueOrDefault("redis-ver"),
            RdbVersion = summary.Version,
            StreamDatabase = int.TryParse(summary.Fields.GetValueOrDefault("repl-stream-db"), out var database) && database >= 0 ? database : null,
            Databases = summary.Databases,
            Functions = summary.Functions,
            Checksummed = summary.IsChecksummed,
        };
        var backup = await session.SealAsync(JsonSerializer.SerializeToElement(details, RedisJson.Default.BaseDetails), cancellationToken);
        return new RedisBase(backup, details);
    }

    public async ValueTask DisposeAsync()
    {
        await writer.DisposeAsync();
        await session.DisposeAsync();
    }
}
