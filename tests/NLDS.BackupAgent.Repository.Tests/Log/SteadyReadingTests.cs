using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Log;

/// <summary>Reading a log beside its writer, which replaces what was listed before it is read.</summary>
public sealed class SteadyReadingTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly LogBench bench = new(new MemoryObjectStore(), [], Codec.Zstd, segmentBytes: 1_024);
    private int reads;

    [Fact]
    public async Task A_writer_that_is_faster_than_a_reader_for_long_is_outlasted()
    {
        const int merges = 12;
        await GrowAsync();

        await bench.Archive.ReadSteadilyAsync(
            async inventory =>
            {
                if (reads < merges)
                {
                    await GrowAsync();
                    throw Gone(inventory);
                }

                return inventory;
            },
            None);

        reads.ShouldBe(merges);
    }

    [Fact]
    public async Task What_is_gone_without_a_successor_is_not_waited_for()
    {
        await GrowAsync();

        (await Should.ThrowAsync<NotRestorableException>(() => bench.Archive.ReadSteadilyAsync<int>(inventory => throw Gone(inventory), None))).Message.ShouldContain("tail/");
        reads.ShouldBe(1);
    }

    /// <summary>The one chunk is merged with what came behind it: it has another name.</summary>
    private async Task GrowAsync()
    {
        var end = 10ul * (ulong)(++reads);
        if (end > 10)
        {
            await bench.Store.DeleteAsync([bench.Archive.Names.ChunkKey(LogBench.Lineage, new LogRange(0, end - 10))], None);
        }

        await bench.Store.PutIfAbsentAsync(bench.Archive.Names.ChunkKey(LogBench.Lineage, new LogRange(0, end)), new byte[1], None);
    }

    private static NotRestorableException Gone(LogInventory inventory) => new($"The object '{inventory.Pieces.Single().Key}' is missing from the repository.");
}
