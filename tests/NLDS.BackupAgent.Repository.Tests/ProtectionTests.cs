using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Tests.Backups;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests;

/// <summary>What a store with locks is told to keep, and what not.</summary>
public sealed class ProtectionTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly MemoryObjectStore store = new(new ManualClock(), retainFor: TimeSpan.FromDays(30));

    [Fact]
    public async Task A_sealed_backup_is_locked_and_the_claim_of_its_id_is_not()
    {
        var bench = new BackupBench(store);
        await bench.Repository.PrepareAsync(None);
        var backup = await bench.TakeAsync(BackupBench.Folders);

        var kept = await KeptAsync(await bench.KeysAsync());
        kept.ShouldBe(["repository.json", .. backup.Manifest.Objects.Select(o => o.Key), BackupBench.Folders.Manifest(backup.Id).Value], ignoreOrder: true);
    }

    [Theory]
    [InlineData(Codec.Zstd)]
    [InlineData(Codec.None)]
    public async Task Whole_segments_and_files_of_a_log_are_locked_and_its_tail_is_not(Codec codec)
    {
        var bench = new LogBench(store, LogBench.Random(3, 2_600_000), codec);
        await bench.Archive.PutFileAsync("A1.history", "1\t0/0\n"u8.ToArray(), None);
        await using (var writer = bench.Open())
        {
            await writer.FlushToAsync(2_500_000);
            await writer.CompleteAsync();
        }

        var keys = await bench.KeysAsync();
        keys.ShouldContain(key => key.Contains("/tail/", StringComparison.Ordinal));
        var kept = await KeptAsync(keys);
        kept.ShouldBe(keys.Where(key => !key.Contains("/tail/", StringComparison.Ordinal)));
        kept.Count.ShouldBe(2 + (codec == Codec.None ? 4 : 2));
    }

    [Fact]
    public async Task A_backup_that_fails_after_an_object_was_sealed_ends_without_another_failure()
    {
        var bench = new BackupBench(store);
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            await BackupBench.PutObjectsAsync(session);
        }

        (await bench.Repository.ListBackupsAsync(BackupBench.Folders, None)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_that_cannot_lock_what_it_should_is_told_before_anything_is_put()
    {
        using var faulty = new FaultyObjectStore(store);
        faulty.FailWhen((_, operation) => operation == "locks" ? Fault.Permanent : null);
        var bench = new BackupBench(faulty);
        await Should.ThrowAsync<ObjectStoreException>(() => bench.Repository.PrepareAsync(None));
        (await bench.KeysAsync()).ShouldBeEmpty();
    }

    /// <summary>What is still there after somebody has tried to delete everything.</summary>
    private async Task<List<string>> KeptAsync(List<string> keys)
    {
        var refusal = await Should.ThrowAsync<ObjectStoreException>(() => store.DeleteAsync([.. keys.Select(key => new ObjectKey(key))], None));
        return [.. refusal.Locked.Select(locked => locked.Key.Value)];
    }
}
