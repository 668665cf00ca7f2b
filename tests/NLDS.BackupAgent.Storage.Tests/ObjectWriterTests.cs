using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Storage.Tests;

public sealed class ObjectWriterTests
{
    private const int Part = ObjectWriter.MinimumPartBytes;

    /// <summary>begin, four parts, complete</summary>
    private const int CallsOfFourParts = 6;

    private static readonly ObjectKey Key = new("written");
    private static readonly byte[] FourParts = new byte[(3 * Part) + 1];

    public static TheoryData<int, Fault> EveryCallEveryFault()
    {
        var data = new TheoryData<int, Fault>();
        for (var call = 1; call <= CallsOfFourParts; call++)
        {
            data.Add(call, Fault.Transient);
            data.Add(call, Fault.Permanent);
            data.Add(call, Fault.LostAnswer);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(EveryCallEveryFault))]
    public async Task Whatever_call_fails_the_failure_surfaces_and_no_half_object_is_seen(int call, Fault fault)
    {
        var memory = new MemoryObjectStore();
        using var store = new FaultyObjectStore(memory);
        store.FailCall(call, fault);
        var writer = new ObjectWriter(store, Key, Part, parallelParts: 2);
        var thrown = await Should.ThrowAsync<ObjectStoreException>(() => WriteAllAsync(writer));
        (await Should.ThrowAsync<ObjectStoreException>(() => writer.WriteAsync(new byte[1], CancellationToken.None).AsTask())).ShouldBeSameAs(thrown);
        (await Should.ThrowAsync<ObjectStoreException>(() => writer.SealAsync(CancellationToken.None))).ShouldBeSameAs(thrown);
        await writer.DisposeAsync();

        var stored = await memory.HeadAsync(Key, CancellationToken.None);
        (stored?.Bytes).ShouldBe(call == CallsOfFourParts && fault == Fault.LostAnswer ? FourParts.Length : null);
    }

    [Fact]
    public async Task All_parts_may_fail_and_nobody_waits_for_ever()
    {
        using var store = new FaultyObjectStore(new MemoryObjectStore());
        store.FailWhen((_, operation) => operation == "part" ? Fault.Transient : null);
        await using var writer = new ObjectWriter(store, Key, Part, parallelParts: 1);
        for (var attempt = 0; attempt < 5; attempt++)
        {
            await Should.ThrowAsync<ObjectStoreException>(() => WriteAllAsync(writer));
        }
    }

    [Fact]
    public async Task Disposing_cancels_the_parts_that_hang()
    {
        using var store = new FaultyObjectStore(new MemoryObjectStore());
        store.FailWhen((_, operation) => operation == "part" ? Fault.Hang : null);
        var writer = new ObjectWriter(store, Key, Part, parallelParts: 3);
        await writer.WriteAsync(FourParts.AsMemory(0, (2 * Part) + 1), CancellationToken.None);
        await store.WaitForHangAsync();
        await store.WaitForHangAsync();
        await writer.DisposeAsync();
        await writer.DisposeAsync();
    }

    [Fact]
    public async Task The_caller_can_cancel_a_write_that_waits_for_its_turn()
    {
        using var store = new FaultyObjectStore(new MemoryObjectStore());
        store.FailWhen((_, operation) => operation == "part" ? Fault.Hang : null);
        await using var writer = new ObjectWriter(store, Key, Part, parallelParts: 1);
        using var cancellation = new CancellationTokenSource();
        var write = writer.WriteAsync(FourParts, cancellation.Token).AsTask();
        await store.WaitForHangAsync();
        await cancellation.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => write);
    }

    [Fact]
    public async Task A_small_object_is_one_put_and_a_taken_name_says_false()
    {
        using var store = new FaultyObjectStore(new MemoryObjectStore());
        for (var turn = 1; turn <= 2; turn++)
        {
            await using var writer = new ObjectWriter(store, Key, Part);
            await writer.WriteAsync(FourParts.AsMemory(0, Part), CancellationToken.None);
            (await writer.SealAsync(CancellationToken.None)).ShouldBe(turn == 1);
            store.Calls.ShouldBe(turn);
            await Should.ThrowAsync<ObjectDisposedException>(() => writer.SealAsync(CancellationToken.None));
        }
    }

    [Fact]
    public async Task No_part_is_larger_or_smaller_than_it_should_be()
    {
        // A pool hands out more than was asked for (8 MiB for 5): what is beyond the part's size must stay unused.
        var store = new FaultyObjectStore(new MemoryObjectStore());
        await using var writer = new ObjectWriter(store, Key, Part, parallelParts: 2);
        await WriteAllAsync(writer);
        store.Calls.ShouldBe(CallsOfFourParts);
        store.Dispose();
    }

    private static async Task WriteAllAsync(ObjectWriter writer)
    {
        for (var at = 0; at < FourParts.Length; at += 1_000_003)
        {
            await writer.WriteAsync(FourParts.AsMemory(at, Math.Min(1_000_003, FourParts.Length - at)), CancellationToken.None);
        }

        await writer.SealAsync(CancellationToken.None);
    }
}
