namespace NLDS.BackupAgent.Storage.Tests.Contract;

public abstract partial class ObjectStoreContract
{
    private const int Part = ObjectWriter.MinimumPartBytes;

    private static readonly byte[] Large = Bytes((2 * Part) + 12_345);

    [Fact]
    public async Task Parts_may_come_in_any_order_and_at_the_same_time()
    {
        await using var upload = await Store.BeginUploadAsync(Key("deep/large"), None);
        upload.Key.ShouldBe(Key("deep/large"));
        await Task.WhenAll(PutPartAsync(upload, 3), PutPartAsync(upload, 1), PutPartAsync(upload, 2));
        (await Store.HeadAsync(Key("deep/large"), None)).ShouldBeNull();
        (await ListAsync()).ShouldBeEmpty();

        (await upload.CompleteAsync(None)).ShouldBeTrue();
        await ShouldHoldAsync("deep/large", Large);
        (await ReadAsync(Key("deep/large"), Part - 1, 3)).ShouldBe(Large[(Part - 1)..(Part + 2)]);
        (await Store.HeadAsync(Key("deep/large"), None))!.Value.Bytes.ShouldBe(Large.Length);
    }

    [Fact]
    public async Task A_part_that_is_put_again_counts_once_and_last()
    {
        await using var upload = await Store.BeginUploadAsync(Key("again"), None);
        await PutPartAsync(upload, 1);
        await upload.PutPartAsync(2, Part, Bytes(Part + 99, seed: 3), None);
        await upload.PutPartAsync(2, Part, Bytes(17, seed: 4), None);
        (await upload.CompleteAsync(None)).ShouldBeTrue();
        await ShouldHoldAsync("again", [.. Large.Take(Part), .. Bytes(17, seed: 4)]);
    }

    [Fact]
    public async Task An_abandoned_upload_leaves_nothing()
    {
        var upload = await Store.BeginUploadAsync(Key("abandoned"), None);
        await PutPartAsync(upload, 1);
        await upload.DisposeAsync();
        await upload.DisposeAsync();
        (await Store.HeadAsync(Key("abandoned"), None)).ShouldBeNull();
        (await ListAsync()).ShouldBeEmpty();
        await PutAllAsync("abandoned");
    }

    [Fact]
    public async Task Completing_onto_a_taken_name_changes_nothing()
    {
        await using var upload = await Store.BeginUploadAsync(Key("taken"), None);
        await PutPartAsync(upload, 1);
        await PutAllAsync("taken");
        (await upload.CompleteAsync(None)).ShouldBeFalse();
        await ShouldHoldAsync("taken", Bytes(3));
    }

    [Fact]
    public async Task A_completion_whose_answer_was_lost_finds_its_own_object()
    {
        await using var upload = await Store.BeginUploadAsync(Key("twice"), None);
        await PutPartAsync(upload, 1);
        await PutPartAsync(upload, 2);
        (await upload.CompleteAsync(None)).ShouldBeTrue();
        (await upload.CompleteAsync(None)).ShouldBeTrue();
        await upload.DisposeAsync();
        await ShouldHoldAsync("twice", Large[..(2 * Part)]);
    }

    [Fact]
    public async Task A_hole_between_the_parts_is_a_mistake_of_the_caller()
    {
        await using var upload = await Store.BeginUploadAsync(Key("hole"), None);
        await Should.ThrowAsync<InvalidOperationException>(() => upload.CompleteAsync(None));
        await PutPartAsync(upload, 1);
        await PutPartAsync(upload, 3);
        await Should.ThrowAsync<InvalidOperationException>(() => upload.CompleteAsync(None));
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => upload.PutPartAsync(0, 0, Bytes(1), None));
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => upload.PutPartAsync(1, 0, default, None));
        (await Store.HeadAsync(Key("hole"), None)).ShouldBeNull();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Part - 1)]
    [InlineData(Part)]
    [InlineData(Part + 1)]
    [InlineData((3 * Part) + 5)]
    public async Task A_writer_stores_what_was_written_to_it(int count)
    {
        var content = Bytes(count);
        await using (var writer = new ObjectWriter(Store, Key("written"), Part, parallelParts: 2))
        {
            for (var at = 0; at < count; at += 777_777)
            {
                await writer.WriteAsync(content.AsMemory(at, Math.Min(777_777, count - at)), None);
            }

            writer.Length.ShouldBe(count);
            (await writer.SealAsync(None)).ShouldBeTrue();
        }

        await ShouldHoldAsync("written", content);
    }

    [Fact]
    public async Task A_writer_that_is_not_sealed_leaves_nothing()
    {
        await using (var writer = new ObjectWriter(Store, Key("unsealed"), Part))
        {
            await writer.WriteAsync(Large, None);
        }

        (await ListAsync()).ShouldBeEmpty();
    }

    private static Task PutPartAsync(IObjectUpload upload, int number)
    {
        var offset = (number - 1) * Part;
        return upload.PutPartAsync(number, offset, Large.AsMemory(offset, Math.Min(Part, Large.Length - offset)), None);
    }
}
