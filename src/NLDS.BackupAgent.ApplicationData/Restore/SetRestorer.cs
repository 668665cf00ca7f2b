using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Cache;
using NLDS.BackupAgent.ApplicationData.Tables;
using NLDS.BackupAgent.ApplicationData.Verification;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Restore;

/// <summary>
/// Reads an archive once and takes each chosen data set to where it belongs, or only compares: a table's set in one transaction, which is rolled back when it only
/// compares or when anything goes wrong; the other sets go on.
/// </summary>
internal sealed class SetRestorer(Database database, ServerSettings settings, BackupRepository repository, TimeProvider clock)
{
    public async Task<IReadOnlyList<SetResult>> RunAsync(
        SealedBackup backup, ArchiveManifest manifest, IReadOnlyList<ArchivedSet> chosen, bool keepsLifetimes, bool applies, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var results = new List<SetResult>();
        var work = new Dictionary<ArchivedSet, ISetWork>();
        long done = 0;
        try
        {
            await ArchiveReading.ReadAsync(repository, backup, manifest, MeetAsync, cancellationToken);
        }
        finally
        {
            foreach (var unfinished in work.Values)
            {
                await unfinished.DisposeAsync();
            }
        }

        return [.. chosen.Select(set => results.Single(result => result.Set.Name == set.Name))];

        async Task MeetAsync(ArchivedSet archived, ArchivedFile file, byte[] bytes)
        {
            ArchiveCheck.RequireDocument(archived, file, bytes);
            if (chosen.FirstOrDefault(wanted => wanted.Name == archived.Name) is not { } set || results.Any(result => result.Set == set))
            {
                return;
            }

            try
            {
                if (!work.TryGetValue(set, out var one))
                {
                    work.Add(set, one = await BeginAsync(set, keepsLifetimes, applies, cancellationToken));
                }

                await one.MeetAsync(bytes, cancellationToken);
                progress.Report(new TransferProgress(applies ? "restore" : "compare", done += bytes.Length, chosen.Sum(wanted => wanted.Files.Sum(part => part.Bytes))));
                if (file.Name == set.Files[^1].Name)
                {
                    results.Add(await one.EndAsync(applies, cancellationToken));
                    await one.DisposeAsync();
                    work.Remove(set);
                }
            }
            catch (Exception failure) when ((failure is SourceException or CacheException || Database.IsExpected(failure)) && !cancellationToken.IsCancellationRequested)
            {
                results.Add(SetResult.Failed(set, $"{set.Name}: {Database.Words(failure)}."));
                if (work.Remove(set, out var broken))
                {
                    await broken.DisposeAsync();
                }
            }
        }
    }

    private async Task<ISetWork> BeginAsync(ArchivedSet set, bool keepsLifetimes, bool applies, CancellationToken cancellationToken)
    {
        if (!set.IsCache)
        {
            return new TableWork(set, await TableImport.BeginAsync(database, set, cancellationToken));
        }

        var server = settings.Cache ?? throw new SourceException("No Redis server is configured. Set Redis:Host (REDIS_HOST), or leave the cache out with --only.", isPermanent: true);
        var connection = await CacheConnection.OpenAsync(server, clock, cancellationToken);
        return new CacheWork(set, connection, new CacheImport(connection, keepsLifetimes, clock), applies);
    }

    /// <summary>A data set under way.</summary>
    private interface ISetWork : IAsyncDisposable
    {
        Task MeetAsync(byte[] file, CancellationToken cancellationToken);

        Task<SetResult> EndAsync(bool applies, CancellationToken cancellationToken);
    }

    private sealed class TableWork(ArchivedSet set, TableImport import) : ISetWork
    {
        public Task MeetAsync(byte[] file, CancellationToken cancellationToken) => import.StageAsync(file, cancellationToken);

        public async Task<SetResult> EndAsync(bool applies, CancellationToken cancellationToken)
        {
            var (fresh, changed, equal, expired) = await import.CompareAsync(cancellationToken);
            if (applies)
            {
                await import.ApplyAsync(cancellationToken);
            }

            return new SetResult(set, fresh, changed, equal, expired, []);
        }

        public ValueTask DisposeAsync() => import.DisposeAsync();
    }

    private sealed class CacheWork(ArchivedSet set, CacheConnection connection, CacheImport import, bool writes) : ISetWork
    {
        public Task MeetAsync(byte[] file, CancellationToken cancellationToken) => import.MeetAsync(CacheDocument.Read(file), writes, cancellationToken);

        public Task<SetResult> EndAsync(bool applies, CancellationToken cancellationToken)
        {
            var (fresh, changed, equal, expired) = import.Difference;
            return Task.FromResult(new SetResult(set, fresh, changed, equal, expired, import.Failures));
        }

        public ValueTask DisposeAsync() => connection.DisposeAsync();
    }
}
