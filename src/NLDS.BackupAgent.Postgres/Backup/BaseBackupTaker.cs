using System.Text.Json;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Backup;

/// <summary>
/// Takes a base backup: the server's archives go straight into compression and upload, each file's checksum is held against the server's own manifest while it
/// passes, and the backup is sealed only when the WAL that makes it consistent is durable too.
/// </summary>
internal sealed partial class BaseBackupTaker(
    PostgresOptions options, BackupRepository repository, PostgresCatalog catalog, PostgresSql sql, WalCoverage coverage, LineageGuard guard, TimeProvider clock,
    ILogger<BaseBackupTaker> logger)
{
    /// <summary>Restores the server's archives by their own names.</summary>
    public const string ServerManifestName = "backup_manifest";

    public async Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var warnings = new ServerWarnings();
        try
        {
            await using var connection = await ReplicationConnection.OpenAsync(
                options.ToConnectionSettings(clock) with { ApplicationName = options.ApplicationName + "-base", OnNotice = warnings.Take },
                cancellationToken);
            var server = await connection.IdentifySystemAsync(cancellationToken);
            var size = await connection.ShowWalSegmentSizeAsync(cancellationToken);
            await catalog.BindAsync(server.SystemIdentifier, size, cancellationToken);
            var lineage = await ServerLineage.ReadAsync(connection, server, cancellationToken);
            await guard.RequireKnownAsync(lineage, catalog.OpenLog(size), cancellationToken);

            // The log first: what the server writes during the backup must be held by the slot before the backup begins.
            await using var log = await coverage.EnsureTailedAsync(cancellationToken);
            var settings = await RecoverySettings.ReadAsync(connection, cancellationToken);
            await using var session = await repository.BeginBackupAsync(PostgresCatalog.Layout, log.Writer, cancellationToken);
            LogBegun(session.Id);
            var copy = new Copy(session, progress);
            var stream = await connection.BaseBackupAsync(
                new BaseBackupOptions
                {
                    Label = $"nlds {session.Id}",
                    FastCheckpoint = options.FullBackup.FastCheckpoint,
                    MaxRateKb = options.FullBackup.MaxRateKb,
                    ManifestChecksums = "CRC32C",
                },
                cancellationToken);
            var startedAt = log.ServerTime ?? new DateTimeOffset(await sql.ScalarAsync<DateTime>("SELECT clock_timestamp()", cancellationToken), TimeSpan.Zero);
            await using (copy)
            {
                var end = await copy.RunAsync(stream, cancellationToken);
                progress.Report(new TransferProgress("write-ahead log", 0, null));
                await log.WaitForAsync(stream.StartLsn, stream.StartTimeline, end.EndLsn, end.EndTimeline, cancellationToken);
                var details = new BaseBackupDetails
                {
                    SystemIdentifier = server.SystemIdentifier,
                    ServerVersion = connection.ServerVersion,
                    WalSegmentBytes = size.Bytes,
                    StartLsn = stream.StartLsn.ToString(),
                    StartTimeline = stream.StartTimeline,
                    EndLsn = end.EndLsn.ToString(),
                    EndTimeline = end.EndTimeline,
                    StartedAt = startedAt,
                    Files = copy.Files,
                    Tablespaces = [.. stream.Tablespaces.Where(t => t.Oid is not null).Select(t => new BaseBackupDetails.Tablespace(t.Oid!, t.Location!))],
                    Settings = settings,
                };
                var backup = await session.SealAsync(
                    JsonSerializer.SerializeToElement(details, PostgresJson.Default.BaseBackupDetails), cancellationToken);
                LogSealed(backup.Id, backup.ContentBytes, backup.StoredBytes, end.EndLsn);
                return backup;
            }
        }
        catch (PostgresServerException damage) when (damage.SqlState == SqlStates.DataCorrupted)
        {
            throw new SourceException(
                $"The base backup was discarded, because the server found damaged pages in its own files: {warnings.OrElse(damage.ServerMessage)} "
                + "Restore the damaged relations from an older backup, or drop and make them anew; older backups were left alone.",
                isPermanent: true,
                damage);
        }
        catch (Exception failure) when (PostgresFailure.IsExpected(failure))
        {
            throw PostgresFailure.Explain(failure, options);
        }
        catch (InvalidDataException damage)
        {
            throw new SourceException($"The base backup was discarded: {damage.Message}.", isPermanent: false, damage);
        }
    }

    /// <summary>The server's stream on its way into the session.</summary>
    private sealed class Copy(BackupSession session, IProgress<TransferProgress> progress) : IAsyncDisposable
    {
        private readonly FileDigest sent = new();
        private readonly ServerManifest manifest = new();
        private ContentWriter? writer;
        private TarScanner? tar;
        private bool insideManifest;
        private long bytes;

        public long Files => sent.Files;

        public async Task<BaseBackupEvent> RunAsync(BaseBackupStream stream, CancellationToken cancellationToken)
        {
            var total = stream.Tablespaces.Sum(t => t.SizeKb) * 1024;
            while (true)
            {
                var received = await stream.ReadAsync(cancellationToken);
                switch (received.Kind)
                {
                    case BaseBackupEventKind.ArchiveStart:
                        await EndObjectAsync(cancellationToken);
                        writer = session.BeginObject(received.ArchiveName!);
                        tar = new TarScanner(new ArchiveFiles(sent, ArchiveFiles.TablespaceOf(received.ArchiveName!)));
                        break;
                    case BaseBackupEventKind.ManifestStart:
                        await EndObjectAsync(cancellationToken);
                        writer = session.BeginPlainObject(ServerManifestName);
                        insideManifest = true;
                        break;
                    case BaseBackupEventKind.Data:
                        await TakeAsync(received.Data, cancellationToken);
                        break;
                    case BaseBackupEventKind.Progress:
                        progress.Report(new TransferProgress("base backup", received.BytesDone, total));
                        break;
                    default:
                        await EndObjectAsync(cancellationToken);
                        Prove();
                        return received;
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            manifest.Dispose();
            if (writer is not null)
            {
                await writer.DisposeAsync();
            }
        }

        private async ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
        {
            if (insideManifest)
            {
                manifest.Feed(data.Span);
            }
            else
            {
                tar!.Feed(data.Span);
                bytes += data.Length;
                if (bytes / ReportEvery != (bytes - data.Length) / ReportEvery)
                {
                    progress.Report(new TransferProgress("base backup", bytes, null));
                }
            }

            await writer!.WriteAsync(data, cancellationToken);
        }

        private const long ReportEvery = 16 << 20;

        private async Task EndObjectAsync(CancellationToken cancellationToken)
        {
            tar?.RequireComplete();
            tar = null;
            if (writer is not null)
            {
                await session.SealObjectAsync(writer, cancellationToken);
                await writer.DisposeAsync();
                writer = null;
            }
        }

        private void Prove()
        {
            manifest.Complete();
            if (!manifest.Files.Equals(sent))
            {
                throw new InvalidDataException(
                    $"the server's manifest lists {manifest.Files.Files} files, the archives hold {sent.Files}, and their checksums differ");
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Base backup {Id} has begun.")]
    private partial void LogBegun(BackupId id);

    [LoggerMessage(Level = LogLevel.Information, Message = "Base backup {Id} is sealed: {ContentBytes} bytes, stored in {StoredBytes}; consistent from {End} on.")]
    private partial void LogSealed(BackupId id, long contentBytes, long storedBytes, Lsn end);
}
