using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Tests.Encryption;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Backups;

public sealed class BackupSessionTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData("zstd")]
    [InlineData("gzip")]
    [InlineData("none")]
    public async Task What_was_taken_is_listed_and_read_back(string compression)
    {
        var bench = new BackupBench(new MemoryObjectStore(), compression);
        foreach (var layout in new[] { BackupBench.Folders, BackupBench.Files })
        {
            var taken = await bench.TakeAsync(layout);

            var listed = (await bench.Repository.ListBackupsAsync(layout, None)).ShouldHaveSingleItem();
            listed.Id.ShouldBe(taken.Id);
            listed.Manifest.Objects.ShouldBe(taken.Manifest.Objects);
            listed.Manifest.Details.GetProperty("system").GetString().ShouldBe("7301");
            (await bench.ReadAsync(listed.Manifest.Objects[0])).ShouldBe(BackupBench.Content);
            (await bench.ReadAsync(listed.Manifest.Objects[2])).ShouldBeEmpty();
        }
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("none")]
    public async Task The_manifest_has_the_hash_of_what_is_stored_and_of_what_it_holds(string compression)
    {
        foreach (var keys in new[] { null, TestKeys.First })
        {
            var bench = new BackupBench(new MemoryObjectStore(), compression, keys);
            await bench.Repository.PrepareAsync(None);
            foreach (var content in (await bench.TakeAsync(BackupBench.Folders)).Manifest.Objects)
            {
                content.StoredSha256.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(await bench.Store.ReadAllAsync(new ObjectKey(content.Key), None))));
                (content.ContentSha256 ?? "").ShouldBe(keys is null ? Convert.ToHexStringLower(SHA256.HashData(await bench.ReadAsync(content))) : "");
            }
        }
    }

    [Fact]
    public async Task What_a_backup_lacks_is_said_by_every_later_listing()
    {
        var bench = new BackupBench(new MemoryObjectStore());
        (await bench.TakeAsync(BackupBench.Folders)).Omissions.ShouldBeEmpty();
        bench.Clock.Advance(TimeSpan.FromHours(1));
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            await BackupBench.PutObjectsAsync(session);
            await session.SealAsync(BackupBench.Details, ["secrets were forbidden."], None);
        }

        var listed = await bench.Repository.ListBackupsAsync(BackupBench.Folders, None);

        listed[0].Omissions.ShouldBeEmpty();
        listed[1].Omissions.ShouldBe(["secrets were forbidden."]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_source_that_is_found_unchanged_is_current_by_the_backup_that_holds_it(bool isFile)
    {
        var (layout, bench) = (isFile ? BackupBench.Files : BackupBench.Folders, new BackupBench(new MemoryObjectStore()));
        var taken = await bench.TakeAsync(layout);
        taken.CurrentAt.ShouldBe(taken.Manifest.Ended);
        for (var hours = 1; hours <= 2; hours++)
        {
            bench.Clock.Advance(TimeSpan.FromHours(1));
            var checkedAt = bench.Clock.GetUtcNow();

            (await bench.Repository.RecordUnchangedAsync(layout, taken, None)).CurrentAt.ShouldBe(checkedAt);

            var listed = (await bench.Repository.ListBackupsAsync(layout, None)).ShouldHaveSingleItem();
            listed.UnchangedAt.ShouldBe(checkedAt);
            listed.CurrentAt.ShouldBe(checkedAt);
            listed.Manifest.Ended.ShouldBe(taken.Manifest.Ended);
        }
    }

    [Fact]
    public async Task A_damaged_word_that_nothing_changed_says_nothing()
    {
        var bench = new BackupBench(new MemoryObjectStore());
        var taken = await bench.TakeAsync(BackupBench.Folders);
        await bench.Repository.RecordUnchangedAsync(BackupBench.Folders, taken, None);
        await bench.Store.ReplaceAsync(BackupBench.Folders.Unchanged(taken.Id), "{}"u8.ToArray(), None);

        (await bench.Repository.ListBackupsAsync(BackupBench.Folders, None)).ShouldHaveSingleItem().UnchangedAt.ShouldBeNull();
    }

    [Fact]
    public async Task Backups_that_begin_in_the_same_second_have_ids_of_their_own()
    {
        var bench = new BackupBench(new MemoryObjectStore());
        await using var first = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None);
        await using var second = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None);

        (first.Id.ToString(), second.Id.ToString()).ShouldBe(("20260101_000000", "20260101_000001"));
    }

    [Fact]
    public async Task A_backup_behind_one_whose_clock_was_ahead_has_the_later_id()
    {
        var store = new MemoryObjectStore();
        var ahead = new BackupBench(store);
        ahead.Clock.Advance(TimeSpan.FromHours(3));
        var earlier = await ahead.TakeAsync(BackupBench.Folders);
        var right = new BackupBench(store);

        var later = await right.TakeAsync(BackupBench.Folders);

        later.Id.ShouldBeGreaterThan(earlier.Id);
        later.Manifest.Began.ShouldBe(right.Clock.GetUtcNow(), "the manifest tells the true time");
        (await right.Repository.ListBackupsAsync(BackupBench.Folders, None)).Select(b => b.Id).ShouldBe([earlier.Id, later.Id]);
    }

    [Fact]
    public async Task A_clock_that_was_ahead_by_months_is_not_followed()
    {
        var store = new MemoryObjectStore();
        var ahead = new BackupBench(store);
        ahead.Clock.Advance(TimeSpan.FromDays(100));
        await ahead.TakeAsync(BackupBench.Folders);

        (await new BackupBench(store).TakeAsync(BackupBench.Folders)).Id.ToString().ShouldBe("20260101_000000");
    }

    [Fact]
    public async Task Ids_that_are_taken_though_no_listing_shows_them_are_a_failure_and_no_endless_search()
    {
        using var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store);
        for (var taken = 0; taken < 200; taken++)
        {
            await bench.Repository.BeginBackupAsync(BackupBench.Folders, None);
        }

        store.FailWhen((_, operation) => operation == "list" ? Fault.HalfBody : null);

        await Should.ThrowAsync<ObjectStoreException>(() => bench.Repository.BeginBackupAsync(BackupBench.Folders, None));
    }

    [Fact]
    public async Task A_session_that_is_given_up_leaves_nothing()
    {
        var bench = new BackupBench(new MemoryObjectStore());
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            await BackupBench.PutObjectsAsync(session);
            await using var unfinished = session.BeginObject("16400.tar");
            await unfinished.WriteAsync(BackupBench.Content, None);
        }

        (await bench.KeysAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Fault.LostAnswer)]
    [InlineData(Fault.Late)]
    public async Task An_object_that_arrived_although_its_answer_was_lost_is_in_nobody_s_way(Fault fault)
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store);
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            store.FailCall(1, fault);
            await Should.ThrowAsync<ObjectStoreException>(() => BackupBench.PutObjectsAsync(session));
        }

        await store.HealAsync();

        // In the same second.
        (await bench.TakeAsync(BackupBench.Folders)).Id.ToString().ShouldBe("20260101_000001");
    }

    [Fact]
    public async Task A_manifest_that_arrived_although_its_answer_was_lost_still_has_its_objects()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store);
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            await BackupBench.PutObjectsAsync(session);
            store.FailCall(3, Fault.LostAnswer);
            await Should.ThrowAsync<ObjectStoreException>(() => session.SealAsync(BackupBench.Details, None));
        }

        var backup = (await bench.Repository.ListBackupsAsync(BackupBench.Folders, None)).ShouldHaveSingleItem();
        (await bench.ReadAsync(backup.Manifest.Objects[0])).ShouldBe(BackupBench.Content);
    }

    [Fact]
    public async Task Puts_whose_answers_were_lost_and_that_are_tried_again_have_succeeded()
    {
        var bench = new BackupBench(new ForgetfulStore(new MemoryObjectStore()));

        var backup = await bench.TakeAsync(BackupBench.Folders);

        backup.Id.ToString().ShouldBe("20260101_000000");
        (await bench.Repository.ListBackupsAsync(BackupBench.Folders, None)).ShouldHaveSingleItem().Id.ShouldBe(backup.Id);
    }

    [Fact]
    public async Task Another_object_under_an_objects_name_is_refused_and_left_as_it_is()
    {
        var bench = new BackupBench(new MemoryObjectStore());
        var key = new ObjectKey("source/full/20260101_000000/base.tar.zst");
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            await bench.Store.PutIfAbsentAsync(key, "other"u8.ToArray(), None);
            (await Should.ThrowAsync<ObjectStoreException>(() => BackupBench.PutObjectsAsync(session))).Message.ShouldContain(key.Value);
        }

        (await bench.Store.ReadAllAsync(key, None)).ShouldBe("other"u8.ToArray());
    }

    [Fact]
    public async Task By_hand_an_object_opens_with_zstd_and_a_manifest_proves_itself_with_sha256sum()
    {
        using var directory = new TemporaryDirectory();
        var bench = new BackupBench(new MemoryObjectStore());
        await bench.TakeAsync(BackupBench.Folders);
        foreach (var key in await bench.KeysAsync())
        {
            await File.WriteAllBytesAsync(directory[new ObjectKey(key).Name], await bench.Store.ReadAllAsync(new ObjectKey(key), None));
        }

        (await HandTools.RunAsync(directory.Path, "zstd -dc < base.tar.zst")).ShouldBe(BackupBench.Content);
        await HandTools.RunAsync(
            directory.Path, "grep -q \"\\\"sha256\\\": \\\"$(head -n -2 manifest.json | sha256sum | cut -d' ' -f1)\\\"\" manifest.json");
    }
}
