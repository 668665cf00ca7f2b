using NLDS.BackupAgent.Repository.Targets;
using System.Text;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// Does what a plan says. <c>pg_control</c>, without which no server starts, is written last, when every other byte is proved and durable; until then the target
/// has a mark that says so. All WAL up to the target is put into <c>pg_wal</c>, so that recovery needs neither this program nor the store.
/// </summary>
internal sealed partial class Restorer(BackupRepository repository, PostgresCatalog catalog, AgentIdentity agent, TimeProvider clock, ILogger<Restorer> logger)
{
    /// <summary>Segments on their way at once: they hide the store's round trips; each holds a few megabytes.</summary>
    private const int ParallelSegments = 4;

    private const long ReportEvery = 16 << 20;

    public async Task<RestoreOutcome> RestoreAsync(PostgresRestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        try
        {
            var owner = Prepare(plan);
            var kept = await UnpackAllAsync(plan, owner, progress, cancellationToken);
            await WriteWalAsync(plan, owner, progress, cancellationToken);
            var restore = RestoreId.New(clock.GetUtcNow());
            WriteConfiguration(plan, owner, restore);
            var notes = await RecordSuccessionAsync(plan, restore, cancellationToken);
            Finish(plan, owner, kept);
            LogRestored(plan.BackupId, plan.TargetDirectory, plan.Target);
            return new RestoreOutcome { Notes = notes };
        }
        catch (InvalidDataException damage)
        {
            throw new NotRestorableException(
                $"Base backup {plan.BackupId} is damaged: {damage.Message}. The target '{plan.TargetDirectory}' is unfinished and cannot be started.", damage);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SourceException(
                $"The restore into '{plan.TargetDirectory}' stopped: {failure.Message} The target is unfinished and cannot be started; restore again when there is room and permission.",
                isPermanent: true,
                failure);
        }
    }

    /// <summary>A server that comes back without its backups is better than none: what cannot be recorded, somebody can still say.</summary>
    private async Task<IReadOnlyList<string>> RecordSuccessionAsync(PostgresRestorePlan plan, RestoreId restore, CancellationToken cancellationToken)
    {
        if (plan.Succeeds is not { } archive)
        {
            return [];
        }

        var succession = new Succession
        {
            RestoreId = restore.ToString(),
            SystemIdentifier = plan.Backup.Details.SystemIdentifier,
            Archive = archive,
            RecordedAt = clock.GetUtcNow(),
            By = agent.Instance,
        };
        try
        {
            await catalog.RecordSuccessionAsync(succession, cancellationToken);
            return [];
        }
        catch (Exception failure) when (failure.IsStoreFailure())
        {
            return [$"It could not be recorded that the restored server takes the original's place ({failure.Message}). Start the agent once with --adopt, or set Agent:Adopt to {restore}."];
        }
    }

    private static FileOwner Prepare(PostgresRestorePlan plan)
    {
        var owner = default(FileOwner);
        foreach (var directory in plan.TablespaceDirectories.Values.Prepend(plan.TargetDirectory))
        {
            const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            Directory.CreateDirectory(directory, ownerOnly);
            owner ??= FileOwner.For(directory);
            if (TargetDirectory.IsUnfinishedRestore(directory))
            {
                TargetDirectory.Clear(directory);
            }

            File.SetUnixFileMode(directory, ownerOnly);
            File.WriteAllText(
                Path.Combine(directory, TargetDirectory.InProgress),
                $"A restore of base backup {plan.BackupId} is writing here, or was interrupted. PostgreSQL cannot start from this directory.\n");
        }

        return owner!;
    }

    /// <summary>The full backup, and over it each one that holds what changed since, up to the one that was asked for.</summary>
    private async Task<Dictionary<string, byte[]>> UnpackAllAsync(
        PostgresRestorePlan plan, FileOwner owner, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var total = plan.Backup.BytesToUnpack;
        long done = 0;
        Dictionary<string, byte[]> kept = [];
        foreach (var backup in plan.Backup.Chain)
        {
            try
            {
                kept = await UnpackAsync(plan, backup, owner, Report, cancellationToken);
            }
            catch (InvalidDataException damage) when (backup != plan.Backup)
            {
                throw new InvalidDataException($"backup {backup.Sealed.Id}, which it builds upon, is: {damage.Message}", damage);
            }
        }

        void Report(int bytes)
        {
            var before = done;
            done += bytes;
            if (done / ReportEvery != before / ReportEvery)
            {
                progress.Report(new TransferProgress("base backup", done, total));
            }
        }

        if (plan.Backup.Parent is not null)
        {
            var label = Path.Combine(plan.TargetDirectory, BackupLabel.FileName);
            var text = await File.ReadAllTextAsync(label, cancellationToken);
            File.Delete(label);
            WriteFile(label, BackupLabel.OfWhole(text), owner);
        }

        return kept;
    }

    /// <returns>What was kept back.</returns>
    private async Task<Dictionary<string, byte[]>> UnpackAsync(
        PostgresRestorePlan plan, BaseBackup backup, FileOwner owner, Action<int> report, CancellationToken cancellationToken)
    {
        var listed = backup.Parent is null ? await ReadManifestAsync(backup, null, cancellationToken) : await RemoveSupersededAsync(plan, backup, cancellationToken);
        var digest = new FileDigest();
        Dictionary<string, byte[]> kept = [];
        foreach (var content in backup.Sealed.Manifest.Objects.Where(o => o.Name != BaseBackupTaker.ServerManifestName))
        {
            try
            {
                foreach (var (name, bytes) in await UnpackAsync(plan, backup, content, digest, owner, report, cancellationToken))
                {
                    kept.Add(name, bytes);
                }
            }
            catch (InvalidDataException damage)
            {
                throw new InvalidDataException($"the object '{content.Key}' is not what it should be: {damage.Message}", damage);
            }
        }

        return !listed.Equals(digest) ? throw new InvalidDataException($"its files are not those of the server's manifest ({digest.Files} unpacked, {listed.Files} listed)")
            : kept.ContainsKey(Unpacker.ControlFile) ? kept
            : throw new InvalidDataException("its archive holds no global/pg_control");
    }

    private async Task<Dictionary<string, byte[]>> UnpackAsync(
        PostgresRestorePlan plan, BaseBackup backup, BackupObject content, FileDigest digest, FileOwner owner, Action<int> report, CancellationToken cancellationToken)
    {
        var oid = ArchiveFiles.TablespaceOf(content.Name);
        var directory = oid is null ? plan.TargetDirectory : plan.TablespaceDirectories.GetValueOrDefault(oid);
        using var unpacker = directory is null ? null : new Unpacker(directory, oid, digest, owner, backup.Details.Incremental?.BlockBytes);

        // A tablespace that was dropped since is read for the proof alone.
        var tar = new TarScanner(unpacker as ITarVisitor ?? new ArchiveFiles(digest, oid));
        await using var source = repository.OpenRead(content, ContentProof.Stored);
        await ReadingAhead.FeedAsync(
            source,
            bytes =>
            {
                tar.Feed(bytes);
                report(bytes.Length);
            },
            cancellationToken);
        tar.RequireComplete();
        return unpacker?.KeptBack ?? [];
    }

    /// <returns>What the server says the backup's archives hold.</returns>
    private async Task<FileDigest> RemoveSupersededAsync(PostgresRestorePlan plan, BaseBackup backup, CancellationToken cancellationToken)
    {
        var listed = new FileDigest();
        foreach (var superseded in Superseded.PartsOf(backup.Details.Files))
        {
            listed = await ReadManifestAsync(backup, superseded, cancellationToken);
            superseded.Remove(plan.TargetDirectory, plan.TablespaceDirectories);
        }

        return listed;
    }

    /// <summary>What the server says the backup's archives hold.</summary>
    private async Task<FileDigest> ReadManifestAsync(BaseBackup backup, Superseded? superseded, CancellationToken cancellationToken)
    {
        var content = backup.Sealed.Manifest.Objects.Single(o => o.Name == BaseBackupTaker.ServerManifestName);
        using var manifest = new ServerManifest(superseded is null ? null : superseded.Stays);
        await using var source = repository.OpenRead(content, ContentProof.Stored);
        await ReadingAhead.FeedAsync(source, manifest.Feed, cancellationToken);
        manifest.Complete();
        return manifest.Files;
    }

    private async Task WriteWalAsync(PostgresRestorePlan plan, FileOwner owner, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var size = plan.Backup.SegmentSize;
        var archive = catalog.OpenLog(size);
        var directory = Path.Combine(plan.TargetDirectory, "pg_wal");
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        long done = 0;
        var total = (long)plan.WalFiles.Count * size.Bytes;
        await Parallel.ForEachAsync(
            plan.WalFiles,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelSegments, CancellationToken = cancellationToken },
            async (file, token) =>
            {
                var path = Path.Combine(directory, file.Segment.Name);
                await WalFileWriter.WriteAsync(archive, file, path, plan.Backup.Details.SystemIdentifier, token);
                BeginWriteBack(path, size);
                owner.Apply(path);
                progress.Report(new TransferProgress("write-ahead log", Interlocked.Add(ref done, size.Bytes), total));
            });
        foreach (var name in plan.HistoryFiles)
        {
            WriteFile(Path.Combine(directory, name), await archive.ReadFileAsync(name, cancellationToken), owner);
        }
    }

    private static void BeginWriteBack(string path, WalSegmentSize size)
    {
        using var file = File.OpenHandle(path);
        UnixFiles.BeginWriteBack(file, 0, size.Bytes);
    }

    private static void WriteConfiguration(PostgresRestorePlan plan, FileOwner owner, RestoreId restore)
    {
        var major = int.Parse(plan.Backup.Details.ServerVersion.Split('.', ' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        var path = Path.Combine(plan.TargetDirectory, RecoveryConfiguration.FileName);
        var existing = File.Exists(path) ? File.ReadAllText(path) : "";
        File.Delete(path);
        WriteFile(path, RecoveryConfiguration.Write(existing, plan, major, restore), owner);
        foreach (var (name, content) in RecoveryConfiguration.Missing(plan.TargetDirectory, plan.Backup.Details.Settings).ToList())
        {
            WriteFile(Path.Combine(plan.TargetDirectory, name), content, owner);
        }

        foreach (var stale in (string[])["standby.signal", RecoveryConfiguration.SignalFile])
        {
            File.Delete(Path.Combine(plan.TargetDirectory, stale));
        }

        WriteFile(Path.Combine(plan.TargetDirectory, RecoveryConfiguration.SignalFile), "", owner);
        if (plan.TablespaceDirectories.Count > 0)
        {
            WriteFile(
                Path.Combine(plan.TargetDirectory, Unpacker.TablespaceMap), RecoveryConfiguration.TablespaceMap(plan.TablespaceDirectories), owner);
        }
    }

    /// <summary>
    /// Only now does the directory become one that a server starts, in one step: from then on it is nobody's unfinished restore, whether or not its mark is gone. The
    /// tablespaces lose theirs before, because a tablespace does not show whether a server has used it.
    /// </summary>
    private static void Finish(PostgresRestorePlan plan, FileOwner owner, Dictionary<string, byte[]> kept)
    {
        var control = Path.Combine(plan.TargetDirectory, Unpacker.ControlFile);
        WriteFile(control + ".new", kept[Unpacker.ControlFile], owner);
        owner.Apply(plan.TargetDirectory);
        foreach (var tablespace in plan.TablespaceDirectories.Values)
        {
            owner.Apply(tablespace);
            File.Delete(Path.Combine(tablespace, TargetDirectory.InProgress));
            UnixFiles.FlushFileSystem(tablespace);
        }

        UnixFiles.FlushFileSystem(plan.TargetDirectory);
        File.Move(control + ".new", control);
        File.Delete(Path.Combine(plan.TargetDirectory, TargetDirectory.InProgress));
        UnixFiles.FlushFileSystem(plan.TargetDirectory);
    }

    private static void WriteFile(string path, string content, FileOwner owner) => WriteFile(path, Encoding.UTF8.GetBytes(content), owner);

    private static void WriteFile(string path, ReadOnlySpan<byte> content, FileOwner owner)
    {
        using (var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.Write(content);
        }

        owner.Apply(path);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Base backup {Id} is restored into {Directory}, ready to recover to {Target}.")]
    private partial void LogRestored(string id, string directory, string target);
}
