using Amazon.S3.Model;

namespace NLDS.BackupAgent.Storage.Tests.S3;

public sealed class S3UnfinishedUploadsTests(SharedCephGateway shared)
{
    private const string Bucket = "unfinished";

    private static readonly ObjectKey Key = new("a/b");
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly DateTimeOffset Ever = DateTimeOffset.MaxValue;

    [Fact]
    public async Task What_a_killed_agent_left_is_found_by_the_next_and_freed()
    {
        var (killed, next, client) = (await OpenAsync(), await OpenAsync(), (await shared.GetAsync()).CreateClient());
        using var owned = client;
        var upload = await killed.BeginUploadAsync(Key, None);
        await upload.PutPartAsync(1, 0, new byte[ObjectWriter.MinimumPartBytes], None);

        (await killed.ListUnfinishedUploadsAsync(Ever, None)).ShouldBeEmpty();
        var found = (await next.ListUnfinishedUploadsAsync(Ever, None)).ShouldHaveSingleItem();
        found.Name.ShouldBe("a/b");
        (await next.ListUnfinishedUploadsAsync(found.Since, None)).ShouldBeEmpty();
        (await next.ListUnfinishedUploadsAsync(found.Since + TimeSpan.FromSeconds(1), None)).ShouldBe([found]);

        await next.AbortUploadAsync(found, None);
        await next.AbortUploadAsync(found, None);
        (await next.ListUnfinishedUploadsAsync(Ever, None)).ShouldBeEmpty();
        (await client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = Bucket, Prefix = "mine/" })).MultipartUploads.ShouldBeNull();

        // Had it been alive after all, it would learn of it rather than lose bytes.
        await Should.ThrowAsync<ObjectStoreException>(() => upload.CompleteAsync(None));
        await upload.DisposeAsync();
    }

    [Fact]
    public async Task Uploads_under_another_prefix_are_none_of_ours()
    {
        var store = await OpenAsync("first");
        await using var theirs = await (await OpenAsync("first-not")).BeginUploadAsync(Key, None);
        (await store.ListUnfinishedUploadsAsync(Ever, None)).ShouldBeEmpty();
    }

    [Fact]
    public async Task More_than_a_page_of_them_is_listed_whole()
    {
        const int Count = 1_203;
        var store = await OpenAsync("many");
        using var client = (await shared.GetAsync()).CreateClient();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Count),
            new ParallelOptions { MaxDegreeOfParallelism = 16 },
            async (number, token) => await client.InitiateMultipartUploadAsync(
                new InitiateMultipartUploadRequest { BucketName = Bucket, Key = $"many/{number / 2:D5}" }, token));

        var found = await store.ListUnfinishedUploadsAsync(Ever, None);
        found.DistinctBy(upload => upload.Id).Count().ShouldBe(Count);
        found.Count.ShouldBe(Count);
        found.ShouldBeInOrder(SortDirection.Ascending, Comparer<UnfinishedUpload>.Create((left, right) => left.Since.CompareTo(right.Since)));
    }

    private async Task<IObjectStore> OpenAsync(string prefix = "mine")
    {
        var gateway = await shared.GetAsync();
        await gateway.CreateBucketAsync(Bucket, None);
        return gateway.OpenStore(Bucket, prefix);
    }
}
