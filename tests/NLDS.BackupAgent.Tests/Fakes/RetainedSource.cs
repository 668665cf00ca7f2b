using System.Text.Json;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Tests.Fakes;

/// <summary>A source without a log whose backups are kept by a policy; they hold nothing.</summary>
internal sealed class RetainedSource(string name) : IRetainedSource
{
    public string Name => name;

    public SnapshotLayout Layout => new(name, $"{name}/full/", '/');

    public RetentionRules Retention { get; } = new();

    public RetentionPolicy DefaultRetention => RetentionPolicy.Standard;

    public Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken) =>
        Task.FromResult<LogNeeds?>(null);

    /// <summary>Seals one backup a day, until the clock stands behind the last.</summary>
    public async Task TakeDailyAsync(IObjectStore store, ManualTime time, int days)
    {
        var repository = new BackupRepository(store, new RepositoryOptions(), time);
        await repository.PrepareAsync(CancellationToken.None);
        for (var day = 0; day < days; day++)
        {
            await using var session = await repository.BeginBackupAsync(Layout, CancellationToken.None);
            await session.SealAsync(JsonDocument.Parse("{}").RootElement, CancellationToken.None);
            time.Advance(day < days - 1 ? TimeSpan.FromDays(1) : TimeSpan.FromHours(2.5));
        }
    }

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<CheckFinding>();

    public Task<SourceListing> ListAsync(CancellationToken cancellationToken) => Task.FromResult(new SourceListing(Name, [], null));

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        Task.FromResult(new VerifyReport(Name, 0, 0, 0, []));
}
