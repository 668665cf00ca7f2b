using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Backups;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests;

public sealed class BackupRepositoryTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<string> Compressions => ["zstd", "gzip", "none"];

    [Theory]
    [MemberData(nameof(Compressions))]
    public async Task Every_flipped_byte_of_a_backup_is_damage_that_is_named(string compression)
    {
        var bench = new BackupBench(new MemoryObjectStore(), compression);
        var backup = await bench.TakeAsync(BackupBench.Folders);
        foreach (var content in backup.Manifest.Objects)
        {
            await ForEachDamageAsync(bench, content.Key, async what =>
                (await Should.ThrowAsync<NotRestorableException>(() => bench.ReadAsync(content), what)).Message.ShouldContain(content.Key));
        }

        await ForEachDamageAsync(bench, "source/full/20260101_000000/manifest.json", async what =>
        {
            var listing = await bench.Repository.ListBackupsAsync(BackupBench.Folders, None);
            listing.ShouldBeEmpty(what);
            listing.Damaged.ShouldHaveSingleItem(what).Reason.ShouldContain("20260101_000000/manifest.json");
        });
    }

    [Theory]
    [MemberData(nameof(Compressions))]
    public async Task Every_truncation_of_a_backup_is_damage_that_is_named(string compression)
    {
        var bench = new BackupBench(new MemoryObjectStore(), compression);
        foreach (var content in (await bench.TakeAsync(BackupBench.Folders)).Manifest.Objects)
        {
            var sound = await bench.Store.ReadAllAsync(new ObjectKey(content.Key), None);
            for (var length = 0; length < sound.Length; length++)
            {
                await bench.Store.ReplaceAsync(new ObjectKey(content.Key), sound.AsMemory(0, length), None);
                (await Should.ThrowAsync<NotRestorableException>(() => bench.ReadAsync(content))).Message.ShouldContain(content.Key);
                (await Should.ThrowAsync<NotRestorableException>(() => bench.Repository.RequireObjectAsync(content, None))).Message.ShouldContain(content.Key);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Compressions))]
    public async Task An_object_that_is_gone_is_named_even_an_empty_one(string compression)
    {
        var bench = new BackupBench(new MemoryObjectStore(), compression);
        foreach (var content in (await bench.TakeAsync(BackupBench.Folders)).Manifest.Objects)
        {
            await bench.Repository.RequireObjectAsync(content, None);
            await bench.Store.DeleteAsync([new ObjectKey(content.Key)], None);
            (await Should.ThrowAsync<NotRestorableException>(() => bench.ReadAsync(content))).Message.ShouldContain(content.Key);
            (await Should.ThrowAsync<NotRestorableException>(() => bench.Repository.RequireObjectAsync(content, None))).Message.ShouldContain(content.Key);
        }
    }

    [Fact]
    public async Task A_large_object_is_read_through_several_ranges_at_once_and_a_failing_one_is_a_failure()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store, "none");
        var bytes = Log.LogBench.Random(2, (17 << 20) + 3);
        await using var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None);
        await using var writer = session.BeginObject("base.tar");
        await writer.WriteAsync(bytes, None);
        await session.SealObjectAsync(writer, None);
        var content = (await session.SealAsync(BackupBench.Details, None)).Manifest.Objects[0];

        (await bench.ReadAsync(content)).AsSpan().SequenceEqual(bytes).ShouldBeTrue();
        foreach (var fault in new[] { Fault.Transient, Fault.Permanent, Fault.HalfBody })
        {
            store.FailCall(4, fault);
            await Should.ThrowAsync<ObjectStoreException>(() => bench.ReadAsync(content), fault.ToString());
        }
    }

    [Fact]
    public async Task A_place_without_a_repository_is_told_from_a_store_that_fails()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var repository = new BackupBench(store).Repository;
        (await Should.ThrowAsync<NotRestorableException>(() => repository.RequireAsync(None))).Message.ShouldContain("There is no repository");
        await repository.PrepareAsync(None);
        await repository.RequireAsync(None);

        store.FailFrom(1, Fault.Transient);

        await Should.ThrowAsync<ObjectStoreException>(() => repository.RequireAsync(None));
    }

    [Fact]
    public async Task A_repository_of_a_newer_format_is_refused()
    {
        var bench = new BackupBench(new MemoryObjectStore());
        var newer = new RepositoryDocument(2, Guid.NewGuid(), DateTimeOffset.UnixEpoch);
        await bench.Repository.Documents.PutAsync(new ObjectKey("repository.json"), newer, BackupJson.Default.RepositoryDocument, None);

        (await Should.ThrowAsync<NotRestorableException>(() => bench.Repository.PrepareAsync(None))).Message.ShouldContain("newer version");
    }

    [Fact]
    public async Task A_backups_listing_that_fails_throws_and_is_never_empty()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store);
        await bench.TakeAsync(BackupBench.Folders);
        foreach (var call in new[] { 1, 2 })
        {
            store.FailCall(call, Fault.Transient);
            await Should.ThrowAsync<ObjectStoreException>(() => bench.Repository.ListBackupsAsync(BackupBench.Folders, None));
        }
    }

    private static async Task ForEachDamageAsync(BackupBench bench, string key, Func<string, Task> detected)
    {
        var sound = await bench.Store.ReadAllAsync(new ObjectKey(key), None);
        for (var at = 0; at < sound.Length; at++)
        {
            var damaged = sound.ToArray();
            damaged[at] ^= 0x01;
            await bench.Store.ReplaceAsync(new ObjectKey(key), damaged, None);
            await detected($"byte {at} of {key}");
        }

        await bench.Store.ReplaceAsync(new ObjectKey(key), sound, None);
    }
}
