using System.Text.Json;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Backup;

/// <summary>Takes one backup, or finds that the newest one still says all there is.</summary>
internal sealed partial class BackupTaker(KubernetesOptions options, BackupRepository repository, ArchiveReader archives, TimeProvider clock, ILogger<BackupTaker> logger)
{
    private const int ReportEvery = 500;

    /// <summary>What the newest archive's index says, so that it is read once in a process's life and not every half hour.</summary>
    private (BackupId Id, string Digest)? newest;

    public async Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        using var api = new KubernetesApi(ClusterConnections.Find(options, clock), clock);
        var ns = options.Namespace.Length > 0 ? options.Namespace : api.Connection.Namespace ?? "default";
        try
        {
            return await TakeAsync(api, ns, progress, cancellationToken);
        }
        catch (ApiException refused)
        {
            throw new SourceException($"The Kubernetes API at {api.Connection.Server} refused: {refused.Message} ({refused.Code}).", isPermanent: refused.IsForbidden, refused);
        }
    }

    private async Task<SealedBackup> TakeAsync(KubernetesApi api, string ns, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var at = clock.GetUtcNow();
        var storesSecrets = repository.IsEncrypted || options.StoreSecretsUnencrypted;
        await using var target = new ArchiveStream(repository);
        await using var archive = new ArchiveWriter(target, ns, at);
        var read = await new NamespaceReader(api, options, ns, storesSecrets).ReadAsync(
            async (resource, value) =>
            {
                await archive.AddAsync(resource, value, cancellationToken);
                if (archive.Count % ReportEvery == 0)
                {
                    progress.Report(new TransferProgress("objects", target.Written, null));
                }
            },
            cancellationToken);
        var digest = archive.Digest([.. read.Omissions, ns, repository.IsEncrypted ? "encrypted" : "readable"]);
        if (await FindUnchangedAsync(ns, digest, cancellationToken) is { } unchanged)
        {
            LogUnchanged(ns, unchanged.Id, archive.Count);
            return await repository.RecordUnchangedAsync(KubernetesCatalog.Layout, unchanged, cancellationToken);
        }

        await archive.CompleteAsync(
            new BackupIndex
            {
                Format = BackupIndex.CurrentFormat,
                Namespace = ns,
                ServerVersion = read.ServerVersion,
                Digest = digest,
                Kinds = read.Kinds,
                Objects = [],
                Files = new Dictionary<string, string>(),
                Omissions = read.Omissions,
            },
            cancellationToken);
        var details = new BackupDetails { Namespace = ns, ServerVersion = read.ServerVersion, At = at, Objects = archive.CountByKind, Skipped = read.Skipped };
        var session = await target.EndAsync(cancellationToken);
        var backup = await session.SealAsync(JsonSerializer.SerializeToElement(details, BackupJson.Default.BackupDetails), read.Omissions, cancellationToken);
        newest = (backup.Id, digest);
        LogTaken(backup.Id, ns, archive.Count, read.Omissions.Count);
        return backup;
    }

    /// <summary>The newest backup, when it says the same and is there to be restored.</summary>
    private async Task<SealedBackup?> FindUnchangedAsync(string ns, string digest, CancellationToken cancellationToken)
    {
        var backups = await KubernetesCatalog.ListAsync(repository, cancellationToken);
        if (backups.Count == 0 || backups[^1] is not { } last || last.Details.Namespace != ns || backups.Damaged.Any(d => d.Id > last.Sealed.Id))
        {
            return null;
        }

        try
        {
            if (newest?.Id != last.Sealed.Id)
            {
                newest = (last.Sealed.Id, (await archives.ReadIndexAsync(last, cancellationToken)).Digest);
            }

            if (newest.Value.Digest != digest)
            {
                return null;
            }

            await repository.RequireObjectAsync(last.Archive, cancellationToken);
            return last.Sealed;
        }
        catch (NotRestorableException damage)
        {
            // A new one is what is needed now.
            LogDamaged(last.Sealed.Id, damage.Message);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Backup {Id} of the namespace {Namespace} is sealed: {Objects} objects, {Omissions} omissions.")]
    private partial void LogTaken(BackupId id, string @namespace, int objects, int omissions);

    [LoggerMessage(Level = LogLevel.Information, Message = "The namespace {Namespace} is what backup {Id} holds of it: {Objects} objects, none changed.")]
    private partial void LogUnchanged(string @namespace, BackupId id, int objects);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Backup {Id} cannot be compared with: {Damage}")]
    private partial void LogDamaged(BackupId id, string damage);
}
