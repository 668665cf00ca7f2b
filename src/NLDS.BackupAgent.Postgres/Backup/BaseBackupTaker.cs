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
    PostgresOptions options, BackupRepository repository, PostgresCatalog catalog, PostgresSql sql, WalCoverage coverage, LineageGuard guard, IncrementalParents parents,
    TimeProvider clock, ILogger<BaseBackupTaker> logger)
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
            var choice = await parents.ChooseAsync(connection, lineage, cancellationToken);
            await using var session = await repository.BeginBackupAsync(PostgresCatalog.Layout, log.Writer, cancellationToken);
            var (stream, parent) = await StartAsync(connection, session.Id, choice, cancellationToken);
            session.Parent = parent?.Sealed.Id;
            var copy = new Copy(session, progress, parent is null ? null : choice.BlockBytes);
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
                    Incremental = parent is null ? null : new BaseBackupDetails.IncrementalPart(parent.Details.StartLsn, choice.BlockBytes, copy.RestoredBytes),
                };
                session.WholeBytes = parent is null ? null : copy.RestoredBytes.Values.Sum();
                await RequireParentAsync(parent, cancellationToken);
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

    /// <summary>
    /// An incremental backup where one is wanted and the server takes one, a full one otherwise: no reason not to build upon an older one is a reason to have none.
    /// </summary>
    private async Task<(BaseBackupStream Stream, BaseBackup? Parent)> StartAsync(
        ReplicationConnection connection, BackupId id, ParentChoice choice, CancellationToken cancellationToken)
    {
        var wanted = new BaseBackupOptions
        {
            Label = $"nlds {id}",
            FastCheckpoint = options.FullBackup.FastCheckpoint,
            MaxRateKb = options.FullBackup.MaxRateKb,
            ManifestChecksums = "CRC32C",
        };
        var whyFull = choice.WhyFull;
        if (choice.Parent is { } parent)
        {
            try
            {
                await using var manifest = repository.OpenRead(parent.Sealed.Manifest.Objects.Single(o => o.Name == ServerManifestName), ContentProof.StoredAndContent);
                await connection.UploadManifestAsync(manifest, cancellationToken);
                var stream = await connection.BaseBackupAsync(wanted with { Incremental = true }, cancellationToken);
                LogIncrementalBegun(id, parent.Sealed.Id);
                return (stream, parent);
            }
            catch (PostgresServerException refused) when (!refused.EndsConnection)
            {
                whyFull = $"the server refused one upon {parent.Sealed.Id}: {refused.Message}";
            }
            catch (Exception damage) when (damage is NotRestorableException or InvalidDataException)
            {
                whyFull = damage.Message;
            }
        }

        if (whyFull is not null)
        {
            LogFull(id, whyFull);
        }

        var full = await connection.BaseBackupAsync(wanted, cancellationToken);
        LogBegun(id);
        return (full, null);
    }

    /// <summary>Retention keeps what the newest backup is; but whoever has removed it by hand meanwhile has made this one worthless.</summary>
    private async Task RequireParentAsync(BaseBackup? parent, CancellationToken cancellationToken)
    {
        if (parent is not null && !await repository.ExistsAsync(PostgresCatalog.Layout, parent.Sealed.Id, cancellationToken))
        {
            throw new SourceException(
                $"The backup was discarded: backup {parent.Sealed.Id}, which it builds upon, was removed while it was taken. The next one will be a full one.", isPermanent: false);
        }
    }

    /// <summary>The server's stream on its way into the session.</summary>
    /// <param name="blockBytes">The server's block_size where its files come in blocks; null for a full backup.</param>
    private sealed class Copy(BackupSession session, IProgress<TransferProgress> progress, int? blockBytes) : IAsyncDisposable
    {
        private readonly Dictionary<string, long> restored = [];
        private (string Name, WholeSize Size)? measured;
        private readonly FileDigest sent = new();
        private readonly ServerManifest manifest = new();
        private ContentWriter? writer;
        private TarScanner? tar;
        private bool insideManifest;
        private long bytes;

        public long Files => sent.Files;

        /// <summary>By archive of an incremental backup, what its files take when they are restored.</summary>
        public IReadOnlyDictionary<string, long> RestoredBytes => restored;

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
                        tar = new TarScanner(Visitor(received.ArchiveName!));
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

        private ITarVisitor Visitor(string archive)
        {
            var oid = ArchiveFiles.TablespaceOf(archive);
            var files = new ArchiveFiles(sent, oid);
            if (blockBytes is not { } block)
            {
                return files;
            }

            measured = (archive, new WholeSize(files, oid, block));
            return measured.Value.Size;
        }

        private async Task EndObjectAsync(CancellationToken cancellationToken)
        {
            tar?.RequireComplete();
            tar = null;
            if (measured is var (name, size))
            {
                restored[name] = size.Bytes;
                measured = null;
            }

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

    [LoggerMessage(Level = LogLevel.Information, Message = "Base backup {Id} has begun; it holds what changed since {Parent}.")]
    private partial void LogIncrementalBegun(BackupId id, BackupId parent);

    [LoggerMessage(Level = LogLevel.Information, Message = "Base backup {Id} is a full one: {Why}")]
    private partial void LogFull(BackupId id, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Base backup {Id} is sealed: {ContentBytes} bytes, stored in {StoredBytes}; consistent from {End} on.")]
    private partial void LogSealed(BackupId id, long contentBytes, long storedBytes, Lsn end);
}
