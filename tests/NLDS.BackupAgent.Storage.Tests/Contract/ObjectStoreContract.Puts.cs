namespace NLDS.BackupAgent.Storage.Tests.Contract;

public abstract partial class ObjectStoreContract
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    public async Task What_was_put_is_read_back(int count)
    {
        (await Store.PutIfAbsentAsync(Key("a/b/c"), Bytes(count), None)).ShouldBeTrue();
        await ShouldHoldAsync("a/b/c", Bytes(count));
    }

    [Fact]
    public async Task A_put_never_replaces()
    {
        (await Store.PutIfAbsentAsync(Key("a"), Bytes(10, seed: 1), None)).ShouldBeTrue();
        (await Store.PutIfAbsentAsync(Key("a"), Bytes(10, seed: 2), None)).ShouldBeFalse();
        (await ReadAsync(Key("a"))).ShouldBe(Bytes(10, seed: 1));
    }

    [Fact]
    public async Task Of_sixteen_racing_writers_exactly_one_wins()
    {
        // Some stores are first asked whether they can refuse; the race is about what follows.
        await PutAllAsync("first");
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var writers = Enumerable.Range(0, 16).Select(async writer =>
        {
            await start.Task;
            return await Store.PutIfAbsentAsync(Key("deep/raced"), Bytes(1_000, writer), None);
        }).ToList();
        start.SetResult();
        var won = await Task.WhenAll(writers);

        won.Count(mine => mine).ShouldBe(1);
        (await ReadAsync(Key("deep/raced"))).ShouldBe(Bytes(1_000, Array.IndexOf(won, true)));
    }

    [Fact]
    public async Task A_caller_may_put_a_slice_of_its_buffer()
    {
        var buffer = Bytes(100);
        await Store.PutIfAbsentAsync(Key("slice"), buffer.AsMemory(10, 20), None);
        Array.Clear(buffer);
        (await ReadAsync(Key("slice"))).ShouldBe(Bytes(100)[10..30]);
    }

    [Fact]
    public async Task A_replacement_creates_and_replaces()
    {
        await Store.ReplaceAsync(Key("deep/register"), Bytes(10, seed: 1), None);
        (await ReadAsync(Key("deep/register"))).ShouldBe(Bytes(10, seed: 1));
        await Store.ReplaceAsync(Key("deep/register"), Bytes(5, seed: 2), None);
        (await ReadAsync(Key("deep/register"))).ShouldBe(Bytes(5, seed: 2));
        (await ListAsync()).ShouldBe(["deep/register"]);
    }

    [Fact]
    public async Task A_cancelled_put_is_cancelled_and_stores_nothing()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => Store.PutIfAbsentAsync(Key("a"), Bytes(3), cancelled.Token));
        (await Store.HeadAsync(Key("a"), None)).ShouldBeNull();
    }

    [Fact]
    public async Task Deleting_counts_absent_objects_as_deleted()
    {
        await PutAllAsync("a", "b/c", "b/d");
        await Store.DeleteAsync([Key("a"), Key("absent"), Key("b/c"), Key("no/such/folder"), Key("a/below/an/object")], None);
        (await ListAsync()).ShouldBe(["b/d"]);
        await Store.DeleteAsync([], None);
    }

    [Fact]
    public async Task A_deleted_name_is_free_again()
    {
        await PutAllAsync("a/b");
        await Store.DeleteAsync([Key("a/b")], None);
        await PutAllAsync("a/b");
    }
}
