using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>A prune that breaks off at every one of its calls to the store, and the one after it.</summary>
public sealed class PruneFaultTests
{
    private static readonly string[] Kept = ["20260301_020000", "20260308_020000", "20260310_020000", "20260311_020000", "20260312_020000"];

    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.Permanent)]
    [InlineData(Fault.LostAnswer)]
    [InlineData(Fault.HalfBody)]
    public async Task Invariants_4_and_7_hold_wherever_a_prune_breaks_off_and_the_next_one_completes_it(Fault fault)
    {
        var (clock, full) = await FullAsync();
        var calls = int.MaxValue;
        for (var failing = 1; failing <= calls; failing++)
        {
            var inner = await CopyAsync(full, clock);
            using var store = new FaultyObjectStore(inner);
            var bench = new PruneBench(clock, inner, _ => store);
            store.FailCall(failing, fault);
            try
            {
                await bench.PruneAsync();

                // What the store answers with "absent" has no body to break off.
                calls = store.Calls < failing ? store.Calls : calls;
            }
            catch (ObjectStoreException)
            {
            }

            await bench.RequireWholeAsync(Kept, $"call {failing} {fault}");
            store.FailWhen((_, _) => null);
            (await bench.PruneAsync()).Left.ShouldBeEmpty();
            await bench.RequireWholeAsync(Kept, $"after call {failing} {fault}");
            (await bench.IdsAsync()).ShouldBe(Kept);
            (await bench.KeysAsync("source/full/")).Count.ShouldBe((Kept.Length * 4) + 1, $"call {failing} {fault}: all but the hold and what is kept is gone");
        }

        calls.ShouldBeGreaterThan(60);
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    public async Task Through_days_of_backups_crashes_holds_proofs_and_prunes_nothing_that_is_needed_is_lost(int seed)
    {
        var random = new Random(seed);
        var clock = new ManualClock(PruneBench.First);
        var inner = new MemoryObjectStore(clock);
        using var store = new FaultyObjectStore(inner);
        var bench = new PruneBench(clock, inner, _ => store);
        await bench.FillAsync(3);
        string? verified = null;
        HashSet<string> held = [];
        for (var step = 0; step < 600; step++)
        {
            var where = $"seed {seed}, step {step}";
            store.FailWhen((_, _) => random.Next(25) == 0 ? random.Next(2) == 0 ? Fault.Transient : Fault.LostAnswer : null);
            try
            {
                switch (random.Next(6))
                {
                    case 0:
                        await bench.TailAsync();
                        await bench.TakeAsync();
                        break;
                    case 1:
                        clock.Advance(TimeSpan.FromHours(random.Next(1, 30)));
                        await bench.TailAsync();
                        break;
                    case 2:
                        await bench.PruneAsync(allowLarge: true, limit: random.Next(3) == 0 ? TimeSpan.Zero : null);
                        break;
                    case 3:
                        verified = (await bench.IdsAsync())[^1];
                        await inner.ReplaceAsync(new ObjectKey($"source/full/{verified}/verified.json"), "{}"u8.ToArray(), CancellationToken.None);
                        break;
                    case 4 when held.Count < 4:
                        var ids = await bench.IdsAsync();
                        BackupId.TryParse(ids[random.Next(ids.Count)], out var id).ShouldBeTrue();
                        await bench.Holds.HoldAsync(bench.Layout, id, "", "me", CancellationToken.None);
                        held.Add(id.ToString());
                        break;
                    case 5 when held.Count > 0:
                        BackupId.TryParse(held.First(), out var released).ShouldBeTrue();
                        held.Remove(released.ToString());
                        await bench.Holds.ReleaseAsync(bench.Layout, released, CancellationToken.None);
                        break;
                }
            }
            catch (Exception failure) when (failure is ObjectStoreException or Sources.SourceException or Sources.NotRestorableException)
            {
            }

            store.FailWhen((_, _) => null);
            await bench.RequireWholeAsync([.. held, .. verified is null ? [] : (string[])[verified]], where);
        }

        await bench.PruneAsync();
        (await bench.IdsAsync()).Count.ShouldBeLessThan(14, $"seed {seed}");
    }

    /// <summary>Twelve days, of which the first is held; what an earlier prune has not removed is among them.</summary>
    private static async Task<(ManualClock Clock, MemoryObjectStore Store)> FullAsync()
    {
        var clock = new ManualClock(PruneBench.First);
        var store = new MemoryObjectStore(clock);
        var bench = new PruneBench(clock, store);
        await bench.FillAsync(12);
        BackupId.TryParse(Kept[0], out var first).ShouldBeTrue();
        await bench.Holds.HoldAsync(bench.Layout, first, "kept", "me", CancellationToken.None);
        await store.PutIfAbsentAsync(new ObjectKey("source/full/20260302_010000/base.tar"), new byte[10], CancellationToken.None);
        await new DocumentStore(store).PutAsync(
            new ObjectKey("source/full/20260302_010000/pruned.json"),
            new Tombstone("source", "20260302_010000", "x", PruneBench.First, ["source/full/20260302_010000/base.tar"]),
            RetentionJson.Default.Tombstone,
            CancellationToken.None);
        return (clock, store);
    }

    private static async Task<MemoryObjectStore> CopyAsync(MemoryObjectStore store, ManualClock clock)
    {
        var copy = new MemoryObjectStore(clock);
        await foreach (var entry in store.ListAsync("", null, CancellationToken.None))
        {
            await copy.ReplaceAsync(entry.Key, await store.ReadAllAsync(entry.Key, CancellationToken.None), CancellationToken.None);
        }

        return copy;
    }
}
