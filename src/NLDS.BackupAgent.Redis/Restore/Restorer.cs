using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>
/// Does what a plan says. Until every byte is proved and durable the directory holds files that make a server refuse to start; then the true ones take their places. Both
/// ways in which a server keeps its data are served: the append-only file, and <c>dump.rdb</c>.
/// </summary>
internal sealed partial class Restorer(BackupRepository repository, RedisCatalog catalog, AgentIdentity agent, TimeProvider clock, ILogger<Restorer> logger)
{
    private const long ReportEvery = 16 << 20;

    public async Task<RestoreOutcome> RestoreAsync(RedisRestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        try
        {
            var target = new TargetDirectory(plan.TargetDirectory);
            await target.EndLeftoversAsync(clock, cancellationToken);
            target.Begin(plan.BackupId);
            await WriteBaseAsync(plan, target.AofBase, progress, cancellationToken);
            var commands = plan.Stream is null ? 0 : await WriteCommandsAsync(plan, target.AofCommands, progress, cancellationToken);
            var isOneFile = commands == 0 || await TryFoldAsync(plan, target, cancellationToken);
            var restore = RestoreMark.NewId(clock.GetUtcNow());
            var notes = await RecordSuccessionAsync(plan, restore, cancellationToken);
            Finish(plan, target, isOneFile, restore);
            LogRestored(plan.BackupId, commands, plan.TargetDirectory, plan.Target);
            return new RestoreOutcome { Notes = notes };
        }
        catch (Exception damage) when (damage is InvalidDataException or ProtocolException)
        {
            throw new NotRestorableException(
                $"Redis backup {plan.BackupId} or the stream behind it is damaged: {damage.Message}. The target '{plan.TargetDirectory}' is unfinished and cannot be started.", damage);
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
    private async Task<IReadOnlyList<string>> RecordSuccessionAsync(RedisRestorePlan plan, string restore, CancellationToken cancellationToken)
    {
        if (plan.Succeeds is not { } archive)
        {
            return [];
        }

        try
        {
            await catalog.RecordSuccessionAsync(
                new Succession { RestoreId = restore, Archive = archive, RecordedAt = clock.GetUtcNow(), By = agent.Instance }, cancellationToken);
            return [];
        }
        catch (Exception failure) when (failure.IsStoreFailure())
        {
            return [$"It could not be recorded that the restored server takes the original's place ({failure.Message}). Start the agent once with --adopt."];
        }
    }

    private async Task WriteBaseAsync(RedisRestorePlan plan, string path, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var scanner = new RdbScanner();
        await using var source = repository.OpenRead(plan.Base.Rdb, ContentProof.Stored);
        await using var file = Create(path);
        var buffer = new byte[512 << 10];
        var end = plan.Base.Sealed.ContentBytes - sizeof(ulong);
        var (hidesHistory, crc) = (false, 0UL);
        while (await source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken) is var count && count > 0)
        {
            var before = scanner.Bytes;
            scanner.Feed(buffer.AsSpan(0, count));
            hidesHistory |= before == 0 && RdbHistory.TryHide(buffer.AsSpan(0, count));
            crc = hidesHistory ? Crc64.Append(crc, buffer.AsSpan(0, (int)Math.Clamp(end - before, 0, count))) : crc;
            await file.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            if (scanner.Bytes / ReportEvery != before / ReportEvery)
            {
                progress.Report(new TransferProgress("snapshot", scanner.Bytes, plan.Base.Sealed.ContentBytes));
            }
        }

        if (scanner.Complete().IsChecksummed && hidesHistory)
        {
            var trailer = new byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(trailer, crc);
            file.Position = end;
            await file.WriteAsync(trailer, cancellationToken);
        }

        file.Flush(flushToDisk: true);
    }

    private async Task<long> WriteCommandsAsync(RedisRestorePlan plan, string path, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var stream = plan.Stream!;
        var total = (long)(plan.Cut - stream.Start.Offset);
        using var commands = new CommandFile(path, stream.Start.Offset, plan.Base.Details.StreamDatabase);
        long done = 0;
        await PathReading.ReadAsync(
            catalog.OpenLog(),
            stream,
            plan.Cut,
            bytes =>
            {
                commands.Write(bytes);
                var before = done;
                done += bytes.Length;
                if (done / ReportEvery != before / ReportEvery)
                {
                    progress.Report(new TransferProgress("commands", done, total));
                }
            },
            cancellationToken);
        commands.Complete();
        return commands.Commands;
    }

    /// <summary>
    /// Lets a redis-server load copy and commands and write both as one RDB file: then a server without an append-only file has all the data too, and one with it
    /// starts several times faster.
    /// </summary>
    private async Task<bool> TryFoldAsync(RedisRestorePlan plan, TargetDirectory target, CancellationToken cancellationToken)
    {
        if (plan.Server is not { } program)
        {
            return false;
        }

        Directory.CreateDirectory(target.Scratch);
        PlaceAof(plan.Layout, new TargetDirectory(target.Scratch), target.AofBase, target.AofCommands);
        await using (var server = await ScratchServer.LoadAsync(program, target.Scratch, plan.ContentBytes, clock, cancellationToken))
        {
            var keys = await server.CountKeysAsync(cancellationToken);
            LogLoaded(program.Version, keys);
            var saved = await server.SaveAsync(target.Scratch, cancellationToken);
            File.SetUnixFileMode(saved, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.Move(saved, target.AofBase, overwrite: true);
        }

        Directory.Delete(target.Scratch, recursive: true);
        return true;
    }

    /// <summary>
    /// Only now does the directory become one that a server starts. Each file that refuses gives way to a true one that is whole and durable, by a rename: a server that finds
    /// neither would start empty. The append-only file comes last; with it the directory is nobody's unfinished restore. Before, a Redis that is older than 7 and keeps none
    /// starts from the <c>dump.rdb</c>, which has everything; that it is a second name of the copy tells whether such a server has written since.
    /// </summary>
    private static void Finish(RedisRestorePlan plan, TargetDirectory target, bool isOneFile, string restore)
    {
        var dump = target.Dump + TargetDirectory.New;
        if (isOneFile)
        {
            // It is what a server without an append-only file looks for as well. Otherwise the refusal stays: better no start than an old or an empty one.
            File.Delete(target.AofCommands);
            UnixFiles.Link(target.AofBase, dump);
        }

        LeaveMark(target.AofCommands, restore);
        var aof = plan.Layout == AofLayout.SingleFile ? target.SingleAof : target.AofManifest;
        WriteAof(plan.Layout, target, target.AofBase, target.AofCommands, aof + TargetDirectory.New);
        TargetFiles.GiveToOwnerOf(target.Path);
        UnixFiles.FlushFileSystem(target.Path);
        if (isOneFile)
        {
            File.Move(dump, target.Dump, overwrite: true);
        }

        File.Move(aof + TargetDirectory.New, aof, overwrite: true);
        if (plan.Layout == AofLayout.SingleFile)
        {
            Directory.Delete(target.AofDirectory, recursive: true);
        }
        else
        {
            File.Delete(target.SingleAof);
        }

        File.Delete(target.Mark);
        UnixFiles.FlushFileSystem(target.Path);
    }

    /// <summary>Puts base and commands where a server of the layout looks for them.</summary>
    private static void PlaceAof(AofLayout layout, TargetDirectory target, string baseFile, string commandFile)
    {
        if (layout == AofLayout.SingleFile)
        {
            WriteAof(layout, target, baseFile, commandFile, target.SingleAof);
            return;
        }

        Directory.CreateDirectory(target.AofDirectory);
        UnixFiles.Link(baseFile, target.AofBase);
        UnixFiles.Link(commandFile, target.AofCommands);
        WriteAof(layout, target, baseFile, commandFile, target.AofManifest);
    }

    /// <summary>What a server of the layout opens first: the one file, or the manifest as redis-server writes it (aof.c).</summary>
    private static void WriteAof(AofLayout layout, TargetDirectory target, string baseFile, string commandFile, string path)
    {
        if (layout != AofLayout.SingleFile)
        {
            TargetDirectory.WriteSmall(path, $"file {Path.GetFileName(target.AofBase)} seq 1 type b\nfile {Path.GetFileName(target.AofCommands)} seq 1 type i\n");
            return;
        }

        using var joined = Create(path);
        foreach (var part in new[] { baseFile, commandFile })
        {
            using var source = File.OpenRead(part);
            source.CopyTo(joined);
        }

        joined.Flush(flushToDisk: true);
    }

    /// <summary>Behind the last command: whoever meets the server can tell that it is restored.</summary>
    private static void LeaveMark(string path, string restore)
    {
        using var commands = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        commands.Write(RestoreMark.Commands(restore));
        commands.Flush(flushToDisk: true);
    }

    private static FileStream Create(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.CreateNew,
        Access = FileAccess.Write,
        BufferSize = 0,
        Options = FileOptions.Asynchronous,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis {Version} loaded the restored files: {Keys} keys.")]
    private partial void LogLoaded(Version version, long keys);

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis backup {Id} and {Commands} commands behind it are restored into {Directory}, {Target}.")]
    private partial void LogRestored(string id, long commands, string directory, string target);
}
