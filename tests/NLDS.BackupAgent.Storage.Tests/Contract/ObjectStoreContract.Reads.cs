namespace NLDS.BackupAgent.Storage.Tests.Contract;

public abstract partial class ObjectStoreContract
{
    [Fact]
    public async Task Every_range_is_exactly_what_was_asked_for()
    {
        var content = Bytes(9);
        await Store.PutIfAbsentAsync(Key("ranged"), content, None);
        for (var offset = 0; offset <= content.Length + 1; offset++)
        {
            (await ReadAsync(Key("ranged"), offset)).ShouldBe(content[Math.Min(offset, 9)..], $"from {offset}");
            for (var length = 0; length <= content.Length + 1; length++)
            {
                (await ReadAsync(Key("ranged"), offset, length)).ShouldBe(content.Skip(offset).Take(length), $"{length} from {offset}");
            }
        }
    }

    [Theory]
    [InlineData(0L, null)]
    [InlineData(0L, 0L)]
    [InlineData(5L, 5L)]
    public async Task Reading_an_absent_object_says_so(long offset, long? length)
    {
        await PutAllAsync("folder/object");
        foreach (var absent in (string[])["absent", "no/such/folder", "folder", "folder/object/below"])
        {
            var thrown = await Should.ThrowAsync<ObjectNotFoundException>(() => Store.OpenReadAsync(Key(absent), offset, length, None));
            thrown.Key.ShouldBe(Key(absent));
        }
    }

    [Fact]
    public async Task A_negative_range_is_a_mistake_of_the_caller()
    {
        await PutAllAsync("a");
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => Store.OpenReadAsync(Key("a"), -1, null, None));
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => Store.OpenReadAsync(Key("a"), 0, -1, None));
    }

    [Fact]
    public async Task A_body_can_be_read_synchronously()
    {
        await Store.PutIfAbsentAsync(Key("a"), Bytes(5_000), None);
        await using var body = await Store.OpenReadAsync(Key("a"), 0, null, None);
        var read = new byte[5_000];
        body.ReadExactly(read, 0, read.Length);
        read.ShouldBe(Bytes(5_000));
        body.Read(read, 0, 1).ShouldBe(0);
    }

    [Fact]
    public async Task The_head_tells_size_and_age_or_nothing()
    {
        await Store.PutIfAbsentAsync(Key("folder/known"), Bytes(123), None);
        var info = (await Store.HeadAsync(Key("folder/known"), None)).ShouldNotBeNull();
        info.Key.ShouldBe(Key("folder/known"));
        info.Bytes.ShouldBe(123);
        info.LastModified.Offset.ShouldBe(TimeSpan.Zero);
        info.LastModified.ShouldBeGreaterThan(new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero));

        (await Store.HeadAsync(Key("folder"), None)).ShouldBeNull();
        (await Store.HeadAsync(Key("folder/know"), None)).ShouldBeNull();
        (await Store.HeadAsync(Key("folder/known/below"), None)).ShouldBeNull();
        (await Store.HeadAsync(Key("absent"), None)).ShouldBeNull();
    }
}
