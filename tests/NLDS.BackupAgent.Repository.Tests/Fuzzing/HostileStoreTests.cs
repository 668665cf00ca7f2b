using System.Text;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Backups;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Fuzzing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Fuzzing;

/// <summary>
/// A store whose owner is no friend: documents that say what no agent wrote, under proofs that fit, and objects whose names nobody chose. Without a key all of that can be
/// made; it is understood or refused, in the words for damage.
/// </summary>
public sealed class HostileStoreTests
{
    private static readonly string[] Names =
    [
        "source/full/99991231_235959/manifest.json", "source/full/00010101_000000/manifest.json", "source/log/tail/x-0000000000000000-ffffffffffffffff.zst", "source/log/tail/A1-ffffffffffffff00-ffffffffffffffff.zst",
        "source/log/A1_FFFFFFFF.zst", "source/log/A1_FFFFFFFFFFFFFFFF", "source/log/gaps/x.json", "source/log/marks/x.json", "source/log/pruned/ffffffff.json", "source/log/pruned/x", "source/log/tail/--", "source/log/tail/-",
        "source/log/.history", "source/log/x.history.sha256", "keys/0123456789abcdef.json", "source/log/seal.seal", "source/full/20261123_020000/x/y/z", "source/full/20261123_020000", "source/verified/x.json",
    ];

    [Fact]
    public async Task Documents_that_say_what_nobody_wrote()
    {
        var bench = await RecordAsync();
        var documents = new List<(ObjectKey Key, JsonMutator Mutator)>();
        foreach (var key in (await bench.KeysAsync("")).Where(key => key.EndsWith(".json", StringComparison.Ordinal)))
        {
            var name = new ObjectKey(key);
            documents.Add((name, new JsonMutator([Encoding.UTF8.GetString(await Documents.SmallObjects.ReadAllAsync(bench.Store, name, CancellationToken.None))])));
        }

        documents.Count.ShouldBeGreaterThan(5);
        new Fuzzer(
            "a document",
            random =>
            {
                var number = random.Next(documents.Count);
                return [(byte)number, .. ProvenJson.Prove(Encoding.UTF8.GetString(documents[number].Mutator.Next(random)))];
            },
            input => Use(bench.Store, input.Bytes.Length == 0 ? null : documents[input.Bytes[0] % documents.Count].Key, input.Bytes.Length == 0 ? [] : input.Bytes[1..]),
            IsRefusal).Run(300);
    }

    [Fact]
    public async Task Names_that_nobody_chose()
    {
        var bench = await RecordAsync();
        var mutator = new ByteMutator([.. Names.Concat(await bench.KeysAsync("")).Select(Encoding.ASCII.GetBytes)], [.. new[] { "-", "/", ".zst", ".enc", "ffffffffffffffff", "0000000000000000", ".json", "tail/" }.Select(Encoding.ASCII.GetBytes)]);
        new Fuzzer(
            "a name",
            mutator.Next,
            input =>
            {
                if (ObjectKey.TryParse(input.Text, out var key))
                {
                    Use(bench.Store, key, [1, 2, 3]);
                }
            },
            IsRefusal).Run(300);
    }

    private static async Task<LogBench> RecordAsync()
    {
        var store = new MemoryObjectStore();
        var bench = new LogBench(store, LogBench.Random(5, 300_000), segmentBytes: 64 << 10);
        await new BackupBench(store).TakeAsync(BackupBench.Folders);
        await using (var writer = bench.Open())
        {
            await writer.FlushToAsync(200_000);
        }

        await bench.Archive.RecordGapAsync(new LogGap(LogBench.Lineage, 0x1000, 0x2000, "lost", bench.Clock.GetUtcNow()), CancellationToken.None);
        await bench.Archive.RecordMarkAsync(new LogMark("one", LogBench.Lineage, 0x3000, 0x3010, bench.Clock.GetUtcNow()), CancellationToken.None);
        await bench.Archive.Pruned.RecordAsync([new LogSection(LogBench.Lineage, 0, 0x1000)], bench.Clock.GetUtcNow(), CancellationToken.None);
        await bench.Archive.ConfirmAsync(new LogConfirmation(LogBench.Lineage, 200_000, bench.Clock.GetUtcNow()), CancellationToken.None);
        await bench.Archive.PutFileAsync("00000002.history", "1\t0/1\tx\n"u8.ToArray(), CancellationToken.None);
        return bench;
    }

    /// <summary>Reads all that there is, as listings, verifications, prunes and restores do.</summary>
    private static void Use(IObjectStore sound, ObjectKey? key, byte[] content) => UseAsync(sound, key, content).GetAwaiter().GetResult();

    private static async Task UseAsync(IObjectStore sound, ObjectKey? key, byte[] content)
    {
        var store = new MemoryObjectStore();
        await foreach (var entry in sound.ListAsync("", null, CancellationToken.None))
        {
            await store.ReplaceAsync(entry.Key, await Documents.SmallObjects.ReadAllAsync(sound, entry.Key, CancellationToken.None), CancellationToken.None);
        }

        if (key is { } changed)
        {
            await store.ReplaceAsync(changed, content, CancellationToken.None);
        }

        var (log, backups) = (new LogBench(store, [], segmentBytes: 64 << 10), new BackupBench(store));
        await RefusingAsync(async () =>
        {
            foreach (var backup in await backups.Repository.ListBackupsAsync(BackupBench.Folders, CancellationToken.None))
            {
                foreach (var part in backup.Manifest.Objects)
                {
                    await RefusingAsync(() => backups.ReadAsync(part));
                }
            }
        });
        await RefusingAsync(() => BackupFolder.ListAsync(store, BackupBench.Folders, CancellationToken.None));
        await RefusingAsync(() => log.Archive.ReadEndAsync(CancellationToken.None));
        await RefusingAsync(async () =>
        {
            var damaged = new List<DamagedRecord>();
            var inventory = await log.Archive.ReadInventoryAsync(damaged, CancellationToken.None);
            inventory.Cover(LogBench.Lineage, 0);
            foreach (var piece in inventory.Pieces)
            {
                await RefusingAsync(() => log.Archive.CopyAsync(piece, Stream.Null, CancellationToken.None));
            }

            foreach (var file in inventory.Files.Keys)
            {
                await RefusingAsync(() => log.Archive.ReadFileAsync(file, CancellationToken.None));
            }

            await foreach (var mark in log.Archive.ReadMarksAsync(damaged, CancellationToken.None))
            {
                mark.Name.ShouldNotBeNull();
            }
        });
    }

    private static async Task RefusingAsync(Func<Task> read)
    {
        try
        {
            await read();
        }
        catch (Exception refusal) when (IsRefusal(refusal))
        {
            // In words.
        }
    }

    private static bool IsRefusal(Exception refusal) => refusal is NotRestorableException or ObjectStoreException or ObjectNotFoundException;
}
