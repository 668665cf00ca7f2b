using System.Data;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Cache;
using NLDS.BackupAgent.ApplicationData.Tables;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Backup;

/// <summary>
/// Takes one backup: every query in one read-only transaction, so that all rows are of one moment; then the cache, which has no moments. What fails is named, and the
/// rest is kept; only when nothing at all could be read is there no backup.
/// </summary>
internal sealed partial class BackupTaker(
    ApplicationDataOptions options, Database database, ServerSettings settings, BackupRepository repository, TimeProvider clock, ILogger<BackupTaker> logger)
{
    private const string Savepoint = "data_set";

    public async Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await repository.PrepareAsync(cancellationToken);
        await using var session = await repository.BeginBackupAsync(ArchiveDetails.Layout, cancellationToken);
        await using var content = session.BeginObject(ArchiveDetails.ObjectName, Codec.Gzip);
        var run = new Run(new ArchiveWriter(content, ArchiveDetails.FolderOf(session.Id), clock.GetUtcNow()), session.Id.ToString(), progress);
        var sets = DataSet.Of(options);
        if (sets.Count > 0)
        {
            await WriteTablesAsync(sets, run, cancellationToken);
        }

        if (options.Cache.Enabled)
        {
            await WriteCacheAsync(run, cancellationToken);
        }

        if (run.Sets.Count == 0)
        {
            throw new SourceException($"No data set could be read, so there is no backup. {string.Join(" ", run.Omissions)}", isPermanent: false);
        }

        var manifest = run.Describe(session.Id, options);
        await run.Archive.AddAsync(ArchiveScanner.ManifestName, 0, [ArchiveDetails.Bytes(manifest)], cancellationToken);
        await run.Archive.EndAsync(cancellationToken);
        await session.SealObjectAsync(content, cancellationToken);
        var taken = await session.SealAsync(JsonSerializer.SerializeToElement(manifest, ArchiveJson.Default.ArchiveManifest), run.Omissions, cancellationToken);
        LogTaken(taken.Id, run.Sets.Count, taken.ContentBytes);
        return taken;
    }

    private async Task WriteTablesAsync(IReadOnlyList<DataSet> sets, Run run, CancellationToken cancellationToken)
    {
        NpgsqlConnection connection;
        try
        {
            connection = await database.OpenAsync(cancellationToken);
        }
        catch (SourceException unreachable)
        {
            run.Omit($"Data sets {string.Join(", ", sets.Select(set => set.Name))} are missing: {unreachable.Message}");
            return;
        }

        await using var owned = connection;
        foreach (var (set, index) in sets.Select((set, index) => (set, index)))
        {
            try
            {
                if (index == 0)
                {
                    await Database.ExecuteAsync(connection, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", cancellationToken);
                    run.SnapshotAt = new DateTimeOffset(await Database.ScalarAsync<DateTime>(connection, "SELECT now()", cancellationToken));
                }

                await WriteTableAsync(connection, set, run, cancellationToken);
            }
            catch (Exception failure) when (Database.IsExpected(failure) && !cancellationToken.IsCancellationRequested)
            {
                // What a new connection saw would be another moment.
                run.Omit($"Data sets {string.Join(", ", sets.Skip(index).Select(rest => rest.Name))} are missing: {database.Explain(failure).Message}");
                return;
            }
        }
    }

    private async Task WriteTableAsync(NpgsqlConnection connection, DataSet set, Run run, CancellationToken cancellationToken)
    {
        await Database.ExecuteAsync(connection, $"SAVEPOINT {Savepoint}", cancellationToken);
        await using var document = new DocumentWriter(run.Archive, set.Name, TableExport.Shape(set, run.Timestamp));
        try
        {
            var columns = await QueryColumns.DescribeAsync(connection, set, cancellationToken);
            await new TableExport(connection, set, columns).WriteAsync(document, cancellationToken);
            await document.CompleteAsync(cancellationToken);
            run.Add(new ArchivedSet
            {
                Name = set.Name,
                Count = document.Total,
                Files = document.Files,
                Table = set.Table,
                Key = set.Key,
                ExpiresColumn = set.ExpiresColumn,
                RowsName = set.RowsName,
                CountName = set.CountName,
                Columns = columns,
            });
        }
        catch (Exception failure) when (failure is PostgresException or InvalidDataException && connection.State == ConnectionState.Open && !cancellationToken.IsCancellationRequested)
        {
            await document.DisposeAsync();
            run.Abandon(document.Files);
            run.Omit($"Data set {set.Name} is missing: {Database.Words(failure)}.");
            LogMissing(set.Name, Database.Words(failure));
            await Database.ExecuteAsync(connection, $"ROLLBACK TO SAVEPOINT {Savepoint}", cancellationToken);
        }
    }

    private async Task WriteCacheAsync(Run run, CancellationToken cancellationToken)
    {
        if (settings.Cache is not { } server)
        {
            run.Omit($"Data set {DataSet.Cache} is missing: no Redis server is configured. Set Redis:Host (REDIS_HOST), or ApplicationData:Cache:Enabled to false.");
            return;
        }

        await using var document = new DocumentWriter(run.Archive, DataSet.Cache, CacheExport.Shape(run.Timestamp));
        try
        {
            await using var connection = await CacheConnection.OpenAsync(server, clock, cancellationToken);
            var export = new CacheExport(connection, options.Cache.Pattern, clock);
            await export.WriteAsync(document, cancellationToken);
            await document.CompleteAsync(cancellationToken);
            run.Add(new ArchivedSet { Name = DataSet.Cache, Count = document.Total, Files = document.Files });
            foreach (var omission in export.Omissions)
            {
                run.Omit(omission);
            }
        }
        catch (Exception failure) when (CacheConnection.IsExpected(failure) && !cancellationToken.IsCancellationRequested)
        {
            await document.DisposeAsync();
            run.Abandon(document.Files);
            run.Omit($"Data set {DataSet.Cache} is missing: {failure.Message}");
            LogMissing(DataSet.Cache, failure.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Application data backup {Id} is sealed: {Sets} data sets, {Bytes} bytes.")]
    private partial void LogTaken(BackupId id, int sets, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Data set {Name} is left out of the backup: {Reason}")]
    private partial void LogMissing(string name, string reason);

    /// <summary>What has come together so far.</summary>
    private sealed class Run(ArchiveWriter archive, string timestamp, IProgress<TransferProgress> progress)
    {
        private readonly List<ArchivedFile> abandoned = [];

        public ArchiveWriter Archive { get; } = archive;

        public string Timestamp { get; } = timestamp;

        public DateTimeOffset? SnapshotAt { get; set; }

        public List<ArchivedSet> Sets { get; } = [];

        public List<string> Omissions { get; } = [];

        public void Add(ArchivedSet set)
        {
            Sets.Add(set);
            progress.Report(new TransferProgress("application data", Archive.Bytes, null));
        }

        public void Omit(string omission) => Omissions.Add(omission);

        public void Abandon(IReadOnlyList<ArchivedFile> files) => abandoned.AddRange(files);

        public ArchiveManifest Describe(BackupId id, ApplicationDataOptions options) => new()
        {
            BackupId = ArchiveDetails.FolderOf(id),
            Timestamp = Timestamp,
            Version = ArchiveManifest.CurrentVersion,
            BackupType = "application_data",
            Files = [.. Archive.Files],
            RetentionPolicy = new ArchiveManifest.RetentionWords(
                options.Retention.KeepDaily ?? ApplicationDataSource.Default.KeepDaily,
                options.Retention.KeepWeekly ?? ApplicationDataSource.Default.KeepWeekly,
                options.Retention.KeepMonthly ?? ApplicationDataSource.Default.KeepMonthly),
            SnapshotAt = SnapshotAt,
            DataSets = Sets,
            Omissions = Omissions,
            Abandoned = abandoned,
        };
    }
}
