using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Backups;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests;

/// <summary>The invariants of the repository by their numbers in its README. 7 and the deleting half of 4 belong to retention, which stands elsewhere.</summary>
public sealed class InvariantTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.Permanent)]
    [InlineData(Fault.HalfBody)]
    [InlineData(Fault.LostAnswer)]
    public async Task Invariant_1_a_manifest_refers_only_to_objects_that_are_already_durable(Fault fault)
    {
        var calls = int.MaxValue;
        for (var failing = 1; failing <= calls; failing++)
        {
            var store = new FaultyObjectStore(new MemoryObjectStore());
            var bench = new BackupBench(store);
            store.FailCall(failing, fault);
            try
            {
                await bench.TakeAsync(BackupBench.Folders);
                calls = failing - 1;
            }
            catch (ObjectStoreException)
            {
            }

            store.FailWhen((_, _) => null);
            foreach (var content in (await bench.Repository.ListBackupsAsync(BackupBench.Folders, None)).SelectMany(b => b.Manifest.Objects))
            {
                await bench.ReadAsync(content);
            }
        }

        // The look for keys and that for ids, the claim, three objects, the manifest, and before and behind it two looks for whoever took this session for dead.
        calls.ShouldBe(11);
    }

    [Fact]
    public async Task Invariant_2_no_content_is_ever_replaced_and_other_bytes_are_an_alarm()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 2_000));
        await using (var writer = bench.Open())
        {
            await writer.FlushToAsync(2_000);
        }

        var key = (await bench.ChunksAsync())[0].Key;
        var before = await bench.Store.ReadAllAsync(key, None);
        bench.Content[0] ^= 1;

        // A second agent that knows nothing of the first one's chunk.
        await using var other = bench.Open();
        await other.AppendToAsync(2_000);
        other.Writer.RequestFlush();
        (await Should.ThrowAsync<LogDivergedException>(() => other.Writer.Completion)).Message.ShouldContain(key.Value);
        (await bench.Store.ReadAllAsync(key, None)).ShouldBe(before);
        other.Writer.DurablePosition.ShouldBe(0ul);
    }

    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.Permanent)]
    public async Task Invariant_3_a_backup_without_a_manifest_does_not_exist(Fault fault)
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store);
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            await BackupBench.PutObjectsAsync(session);
            store.FailWhen((_, operation) => operation == "put" ? fault : null);
            await Should.ThrowAsync<ObjectStoreException>(() => session.SealAsync(BackupBench.Details, None));
        }

        (await bench.Repository.ListBackupsAsync(BackupBench.Folders, None)).ShouldBeEmpty();
        (await bench.KeysAsync()).ShouldContain("source/full/20260101_000000/begun.json", "by which a sweep tells what was left");
    }

    [Fact]
    public async Task Invariant_4_objects_are_not_removed_while_their_manifest_may_exist()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store);
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        {
            await BackupBench.PutObjectsAsync(session);
            using var hurry = new CancellationTokenSource();
            store.FailWhen((_, operation) =>
            {
                if (operation != "put")
                {
                    return null;
                }

                hurry.Cancel();
                return Fault.Hang;
            });
            await Should.ThrowAsync<OperationCanceledException>(() => session.SealAsync(BackupBench.Details, hurry.Token));
            store.FailWhen((_, _) => null);
        }

        (await bench.KeysAsync()).Count.ShouldBe(4);
    }

    [Fact]
    public async Task Invariant_5_a_position_is_acknowledged_only_when_every_byte_before_it_is_durable()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new LogBench(store, LogBench.Random(1, 3 << 20));
        var hung = new TaskCompletionSource();
        store.FailWhen((call, _) =>
        {
            if (call == 1)
            {
                hung.TrySetResult();
                return Fault.Hang;
            }

            return null;
        });
        await using var writer = bench.Open(options: new LogWriterOptions { FlushBytes = long.MaxValue });
        await writer.AppendToAsync(1 << 20);
        await hung.Task;
        await writer.AppendToAsync(2 << 20);
        await writer.AppendToAsync((2 << 20) + 1);
        await writer.Observer.UntilAsync(2 << 20);

        // The second segment becomes durable behind the first, which does not.
        while (!(await bench.KeysAsync()).Contains("source/log/A1_00000001.zst"))
        {
            await Task.Yield();
        }

        writer.Writer.DurablePosition.ShouldBe(0ul);
        writer.BrokeItsWord.ShouldBeFalse();
    }

    [Fact]
    public async Task Invariant_6_the_last_read_throws_unless_every_byte_was_what_the_manifest_says()
    {
        var bench = new BackupBench(new MemoryObjectStore(), "none");
        var content = (await bench.TakeAsync(BackupBench.Folders)).Manifest.Objects[0];

        // Another object of the same length, sound in itself.
        await bench.Store.ReplaceAsync(new ObjectKey(content.Key), LogBench.Random(12, 1_200), None);

        (await Should.ThrowAsync<NotRestorableException>(() => bench.ReadAsync(content))).Message.ShouldContain("SHA-256");
    }

    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.Permanent)]
    public async Task Invariant_8_not_found_is_said_only_when_the_store_said_so(Fault fault)
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new BackupBench(store);
        var content = (await bench.TakeAsync(BackupBench.Folders)).Manifest.Objects[0];
        var log = new LogBench(store, []);
        store.FailFrom(1, fault);

        await Should.ThrowAsync<ObjectStoreException>(() => bench.ReadAsync(content));
        await Should.ThrowAsync<ObjectStoreException>(() => bench.Repository.RequireObjectAsync(content, None));
        await Should.ThrowAsync<ObjectStoreException>(() => bench.Repository.ListBackupsAsync(BackupBench.Folders, None));
        await Should.ThrowAsync<ObjectStoreException>(() => log.Archive.ReadInventoryAsync(None));
    }

    [Fact]
    public async Task Invariant_9_a_gap_is_recorded_and_never_covered()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 3 << 20));
        await using (var before = bench.Open())
        {
            await before.FlushToAsync(1_000);
        }

        await bench.Archive.RecordGapAsync(new LogGap(LogBench.Lineage, 1_000, 2 << 20, "The slot was dropped.", FakeObserver.Epoch), None);
        bench.Content = bench.Content[(2 << 20)..];
        var behind = new LogBench(bench.Store, [.. new byte[2 << 20], .. bench.Content]);
        await using (var after = behind.Open(start: 2 << 20))
        {
            await after.FlushToAsync((2 << 20) + 500);
        }

        var inventory = await bench.Archive.ReadInventoryAsync(None);
        inventory.Gaps.ShouldHaveSingleItem().Reason.ShouldBe("The slot was dropped.");
        inventory.Cover(LogBench.Lineage, 0).End.ShouldBe(1_000ul);
        inventory.Cover(LogBench.Lineage, 2 << 20).End.ShouldBe((2ul << 20) + 500);
    }
}
