using System.Text;
using System.Text.Json;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Backups;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Encryption;

public sealed class EncryptedBackupTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData("zstd", ".zst")]
    [InlineData("gzip", ".gz")]
    [InlineData("none", "")]
    public async Task A_backup_is_encrypted_as_a_whole_and_comes_back(string compression, string suffix)
    {
        var bench = await TakenAsync(new MemoryObjectStore(), compression);
        bench.Repository.IsEncrypted.ShouldBeTrue();
        var backup = (await bench.Repository.ListBackupsAsync(BackupBench.Folders, None)).ShouldHaveSingleItem();
        var id = backup.Id;

        backup.Manifest.Objects.Select(o => o.Key).ShouldBe(
            [$"source/full/{id}/base.tar{suffix}.enc", $"source/full/{id}/label.enc", $"source/full/{id}/empty.tar{suffix}.enc"]);
        (await bench.ReadAsync(backup.Manifest.Objects[0])).ShouldBe(BackupBench.Content);
        (await bench.ReadAsync(backup.Manifest.Objects[1])).ShouldBe("label"u8.ToArray());
        (await bench.ReadAsync(backup.Manifest.Objects[2])).ShouldBeEmpty();
        backup.Manifest.Objects.ShouldAllBe(o => o.KeyId == TestKeys.Id(TestKeys.First) && o.ContentSha256 == null && o.ContentHmac!.Length == 64);
        foreach (var key in await bench.KeysAsync())
        {
            var stored = await bench.Store.ReadAllAsync(new ObjectKey(key), None);
            stored.AsSpan().IndexOf("label"u8).ShouldBe(key.EndsWith("manifest.json", StringComparison.Ordinal) ? stored.AsSpan().IndexOf("label"u8) : -1, key);
        }
    }

    [Fact]
    public async Task Every_flipped_byte_of_every_object_and_document_every_truncation_and_every_addition_is_found()
    {
        var bench = await TakenAsync(new MemoryObjectStore());
        foreach (var key in await bench.KeysAsync())
        {
            var name = new ObjectKey(key);
            var sound = await bench.Store.ReadAllAsync(name, None);
            for (var at = 0; at < sound.Length; at++)
            {
                var damaged = sound.ToArray();
                damaged[at] ^= 0x20;
                await RequireFoundAsync(bench, name, damaged, $"byte {at}");
                await RequireFoundAsync(bench, name, sound[..at], $"cut to {at}");
            }

            await RequireFoundAsync(bench, name, [.. sound, (byte)'\n'], "prolonged");
            await bench.Store.ReplaceAsync(name, sound, None);
        }

        await ReadAllAsync(bench);
    }

    [Fact]
    public async Task Objects_and_documents_that_changed_places_are_found()
    {
        var store = new MemoryObjectStore();
        var bench = await TakenAsync(store);
        await bench.TakeAsync(BackupBench.Folders);
        var keys = await bench.KeysAsync();
        foreach (var (one, other) in keys.SelectMany(one => keys.Where(other => string.CompareOrdinal(one, other) < 0), (one, other) => (new ObjectKey(one), new ObjectKey(other))))
        {
            var (first, second) = (await store.ReadAllAsync(one, None), await store.ReadAllAsync(other, None));
            await store.ReplaceAsync(one, second, None);
            await store.ReplaceAsync(other, first, None);
            await Should.ThrowAsync<NotRestorableException>(() => ReadAllAsync(Anew(store)), $"{one} and {other}");
            await store.ReplaceAsync(one, first, None);
            await store.ReplaceAsync(other, second, None);
        }

        await ReadAllAsync(Anew(store));
    }

    [Fact]
    public async Task Another_place_for_the_whole_repository_changes_nothing()
    {
        var bench = await TakenAsync(new MemoryObjectStore());
        var copy = new MemoryObjectStore();
        foreach (var key in await bench.KeysAsync())
        {
            await copy.PutIfAbsentAsync(new ObjectKey(key), await bench.Store.ReadAllAsync(new ObjectKey(key), None), None);
        }

        await ReadAllAsync(Anew(copy));
    }

    [Fact]
    public async Task Without_the_key_backups_are_listed_and_not_read()
    {
        var bench = await TakenAsync(new MemoryObjectStore());
        var stranger = new BackupBench(bench.Store);
        await stranger.Repository.RequireAsync(None);
        var content = (await stranger.Repository.ListBackupsAsync(BackupBench.Folders, None)).ShouldHaveSingleItem().Manifest.Objects[0];

        var sentence = $"is encrypted with key {TestKeys.Id(TestKeys.First)}, which is not configured: add it to Repository:Encryption:Key or KeyFile.";
        (await Should.ThrowAsync<NotRestorableException>(() => stranger.ReadAsync(content))).Message.ShouldEndWith(sentence);
        (await Should.ThrowAsync<NotRestorableException>(() => stranger.Repository.RequireObjectAsync(content, None))).Message.ShouldEndWith(sentence);
    }

    [Fact]
    public async Task With_another_key_nothing_is_believed_and_nothing_is_written()
    {
        var bench = await TakenAsync(new MemoryObjectStore());
        var keys = await bench.KeysAsync();
        var stranger = new BackupBench(bench.Store, keys: TestKeys.Second);

        (await Should.ThrowAsync<NotRestorableException>(() => stranger.Repository.RequireAsync(None))).Message.ShouldContain(TestKeys.Id(TestKeys.First));
        (await stranger.Repository.ListBackupsAsync(BackupBench.Folders, None)).Damaged.ShouldHaveSingleItem().Reason.ShouldContain("not configured");
        var refusal = await Should.ThrowAsync<SourceException>(() => stranger.TakeAsync(BackupBench.Folders));
        refusal.IsPermanent.ShouldBeTrue();
        refusal.Message.ShouldContain("A new key goes before the old one");
        (await bench.KeysAsync()).ShouldBe(keys);
    }

    [Fact]
    public async Task A_writer_that_lost_its_key_is_refused()
    {
        var bench = await TakenAsync(new MemoryObjectStore());
        var keys = await bench.KeysAsync();
        var forgetful = new BackupBench(bench.Store);

        (await Should.ThrowAsync<SourceException>(() => forgetful.Repository.PrepareAsync(None))).Message.ShouldContain("add it to Repository:Encryption:Key");
        await Should.ThrowAsync<SourceException>(() => forgetful.TakeAsync(BackupBench.Folders));
        (await bench.KeysAsync()).ShouldBe(keys);
    }

    [Fact]
    public async Task Encryption_turned_on_later_leaves_what_was_there_readable()
    {
        var store = new MemoryObjectStore();
        var plain = new BackupBench(store);
        await plain.Repository.PrepareAsync(None);
        await plain.TakeAsync(BackupBench.Folders);
        await plain.TakeAsync(BackupBench.Files);
        var encrypted = Anew(store);

        (await Should.ThrowAsync<NotRestorableException>(() => encrypted.Repository.RequireAsync(None))).Message.ShouldContain("leave out Repository:Encryption");
        await encrypted.Repository.PrepareAsync(None);
        await encrypted.TakeAsync(BackupBench.Folders);

        var anew = Anew(store);
        await anew.Repository.RequireAsync(None);
        (await ReadAllAsync(anew)).ShouldBe(9);
        (await anew.Repository.ListBackupsAsync(BackupBench.Folders, None)).Select(b => b.Manifest.Objects[0].KeyId).ShouldBe([null, TestKeys.Id(TestKeys.First)]);
    }

    [Fact]
    public async Task Nobody_without_the_key_adds_a_backup_whatever_time_he_writes_into_it()
    {
        var store = new MemoryObjectStore();
        var plain = new BackupBench(store);
        await plain.Repository.PrepareAsync(None);
        await plain.TakeAsync(BackupBench.Folders);
        var encrypted = Anew(store);
        await encrypted.Repository.PrepareAsync(None);
        await encrypted.TakeAsync(BackupBench.Folders);

        // The attacker's backups, whole in themselves: one of today, one from before the key.
        var elsewhere = new BackupBench(new MemoryObjectStore());
        await elsewhere.TakeAsync(BackupBench.Folders);
        foreach (var id in new[] { "20300101_000000", "20200101_000000" })
        {
            foreach (var key in await elsewhere.KeysAsync())
            {
                var bytes = await elsewhere.Store.ReadAllAsync(new ObjectKey(key), None);
                var old = key.Split('/')[2];
                var forged = key.EndsWith(".json", StringComparison.Ordinal) ? ProvenJson.Prove(Encoding.UTF8.GetString(bytes).Replace(old, id, StringComparison.Ordinal)) : bytes;
                await store.PutIfAbsentAsync(new ObjectKey(key.Replace(old, id, StringComparison.Ordinal)), forged, None);
            }
        }

        var listing = await Anew(store).Repository.ListBackupsAsync(BackupBench.Folders, None);
        listing.Count.ShouldBe(2);
        listing.Damaged.Select(d => d.Id.ToString()).Order().ShouldBe(["20200101_000000", "20300101_000000"]);
        listing.Damaged.ShouldAllBe(d => d.Reason.Contains("was not written by a holder of the key"));

        // Removing what the key says of itself does not help either.
        await store.DeleteAsync([new ObjectKey($"keys/{TestKeys.Id(TestKeys.First)}.json")], None);
        (await Anew(store).Repository.ListBackupsAsync(BackupBench.Folders, None)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_document_that_was_there_before_the_key_cannot_be_changed_after_it()
    {
        var store = new MemoryObjectStore();
        var plain = new BackupBench(store);
        var backup = await plain.TakeAsync(BackupBench.Folders);
        await Anew(store).Repository.PrepareAsync(None);
        var manifest = new ObjectKey($"source/full/{backup.Id}/manifest.json");
        var text = Encoding.UTF8.GetString(await store.ReadAllAsync(manifest, None));
        await store.ReplaceAsync(manifest, ProvenJson.Prove(text.Replace("7301", "7302", StringComparison.Ordinal)), None);

        (await Anew(store).Repository.ListBackupsAsync(BackupBench.Folders, None)).Damaged.ShouldHaveSingleItem();
        (await plain.Repository.ListBackupsAsync(BackupBench.Folders, None)).Damaged.ShouldBeEmpty("without a key nobody can tell");
    }

    [Fact]
    public async Task A_new_key_writes_the_old_one_reads_and_may_go_when_nothing_needs_it()
    {
        var store = new MemoryObjectStore();
        var first = new BackupBench(store, keys: TestKeys.First);
        await first.Repository.PrepareAsync(None);
        var old = await first.TakeAsync(BackupBench.Folders);
        var both = new BackupBench(store, keys: $"{TestKeys.Second}\n{TestKeys.First}");
        await both.Repository.PrepareAsync(None);
        await both.TakeAsync(BackupBench.Folders);
        (await ReadAllAsync(both)).ShouldBe(6);
        (await both.Repository.ListBackupsAsync(BackupBench.Folders, None)).Select(b => b.Manifest.Objects[0].KeyId)
            .ShouldBe([TestKeys.Id(TestKeys.First), TestKeys.Id(TestKeys.Second)]);

        // The new key vouches for the documents of the old one; its objects take the old one.
        var second = new BackupBench(store, keys: TestKeys.Second);
        await second.Repository.PrepareAsync(None);
        var listing = await second.Repository.ListBackupsAsync(BackupBench.Folders, None);
        listing.Damaged.ShouldBeEmpty();
        (await Should.ThrowAsync<NotRestorableException>(() => second.ReadAsync(listing[0].Manifest.Objects[0]))).Message.ShouldContain(TestKeys.Id(TestKeys.First));
        await store.DeleteAsync([.. old.Manifest.Objects.Select(o => new ObjectKey(o.Key)), new ObjectKey($"source/full/{old.Id}/manifest.json")], None);
        (await ReadAllAsync(second)).ShouldBe(3);
    }

    [Fact]
    public async Task By_hand_a_documents_hash_is_still_that_of_all_lines_but_two()
    {
        var bench = await TakenAsync(new MemoryObjectStore());
        foreach (var key in (await bench.KeysAsync()).Where(key => key.EndsWith(".json", StringComparison.Ordinal)))
        {
            var lines = Encoding.UTF8.GetString(await bench.Store.ReadAllAsync(new ObjectKey(key), None)).Split('\n');
            var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines[..^3].Select(line => line + "\n")))));
            lines[^3].ShouldBe($"  \"sha256\": \"{hash}\"");
            JsonDocument.Parse(string.Join('\n', lines)).RootElement.GetProperty("authenticator").GetProperty("keyId").GetString().ShouldBe(TestKeys.Id(TestKeys.First));
        }
    }

    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.LostAnswer)]
    public async Task A_first_use_that_fails_at_any_call_is_made_up_for_by_the_next(Fault fault)
    {
        for (var (failing, done) = (1, false); !done; failing++)
        {
            var store = new MemoryObjectStore();
            await new BackupBench(store).TakeAsync(BackupBench.Folders);
            using var faulty = new FaultyObjectStore(store);
            faulty.FailCall(failing, fault);
            try
            {
                await Anew(faulty).Repository.PrepareAsync(None);
                done = faulty.Calls < failing;
            }
            catch (ObjectStoreException)
            {
            }

            await Anew(store).Repository.PrepareAsync(None);
            (await ReadAllAsync(Anew(store))).ShouldBe(3, $"call {failing}");
        }
    }

    private static async Task<BackupBench> TakenAsync(IObjectStore store, string compression = "zstd")
    {
        var bench = new BackupBench(store, compression, TestKeys.First);
        await bench.Repository.PrepareAsync(None);
        await bench.TakeAsync(BackupBench.Folders);
        return bench;
    }

    /// <summary>Another process with the same key.</summary>
    private static BackupBench Anew(IObjectStore store) => new(store, keys: TestKeys.First);

    /// <summary>Reads everything back as a verification would.</summary>
    private static async Task<int> ReadAllAsync(BackupBench bench)
    {
        await bench.Repository.RequireAsync(None);
        var objects = 0;
        foreach (var layout in new[] { BackupBench.Folders, BackupBench.Files })
        {
            var listing = await bench.Repository.ListBackupsAsync(layout, None);
            if (listing.Damaged.Count > 0)
            {
                throw new NotRestorableException(listing.Damaged[0].Reason);
            }

            foreach (var backup in listing)
            {
                await bench.Repository.Documents.ReadAsync(layout.Claim(backup.Id), BackupJson.Default.BackupClaim, None);
                foreach (var content in backup.Manifest.Objects)
                {
                    await bench.ReadAsync(content);
                    objects++;
                }
            }
        }

        foreach (var key in bench.Repository.Keys.All)
        {
            _ = await new Repository.Encryption.KeyRegister(bench.Store, bench.Repository.Keys).FindAsync(key, None);
        }

        return objects;
    }

    private static async Task RequireFoundAsync(BackupBench bench, ObjectKey name, byte[] damaged, string how)
    {
        await bench.Store.ReplaceAsync(name, damaged, None);
        var found = await Should.ThrowAsync<NotRestorableException>(() => ReadAllAsync(Anew(bench.Store)), $"{how} of {name}");
        found.Message.ShouldContain(name.Value, customMessage: $"{how} of {name}");
    }
}
