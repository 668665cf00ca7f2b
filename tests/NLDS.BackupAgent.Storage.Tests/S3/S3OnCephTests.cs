using Amazon.Runtime;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Storage.S3;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Ceph;

namespace NLDS.BackupAgent.Storage.Tests.S3;

public sealed class S3OnCephTests(SharedCephGateway shared)
{
    private static readonly ObjectKey Key = new("a/b");
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Wrong_credentials_are_permanent_and_never_an_absence()
    {
        var gateway = await shared.GetAsync();
        foreach (var credentials in (BasicAWSCredentials[])[new("nobody", gateway.SecretKey), new(gateway.AccessKey, "wrong")])
        {
            using var store = Open(gateway.Options(SharedCephGateway.Bucket), credentials);
            await ShouldFailEverywhereAsync(store, gateway);
        }
    }

    [Fact]
    public async Task A_missing_bucket_is_permanent_and_never_an_absence()
    {
        var gateway = await shared.GetAsync();
        await ShouldFailEverywhereAsync((S3ObjectStore)gateway.OpenStore("no-such-bucket"), gateway);
    }

    [Fact]
    public async Task An_abandoned_upload_leaves_no_parts_in_the_bucket()
    {
        var gateway = await shared.GetAsync();
        await gateway.CreateBucketAsync("abandoned", None);
        var store = gateway.OpenStore("abandoned");
        var part = new byte[ObjectWriter.MinimumPartBytes];
        using var client = gateway.CreateClient();
        await using (var upload = await store.BeginUploadAsync(Key, None))
        {
            await upload.PutPartAsync(1, 0, part, None);
            (await UploadsAsync(client, "abandoned")).ShouldBe(1);
        }

        (await UploadsAsync(client, "abandoned")).ShouldBe(0);

        await using (var upload = await store.BeginUploadAsync(Key, None))
        {
            await upload.PutPartAsync(1, 0, part, None);
            await store.PutIfAbsentAsync(Key, new byte[1], None);
            (await upload.CompleteAsync(None)).ShouldBeFalse();
        }

        (await UploadsAsync(client, "abandoned")).ShouldBe(0);
    }

    [Fact]
    public async Task Foreign_objects_and_other_prefixes_are_not_listed()
    {
        var gateway = await shared.GetAsync();
        await gateway.CreateBucketAsync("foreign", None);
        using var client = gateway.CreateClient();
        foreach (var name in (string[])["mine/", "mine/with space", "mine/a", "mines/b", "other"])
        {
            await client.PutObjectAsync(new PutObjectRequest { BucketName = "foreign", Key = name, ContentBody = "x", UseChunkEncoding = false });
        }

        List<string> keys = [];
        await foreach (var info in gateway.OpenStore("foreign", "/mine/").ListAsync("", null, None))
        {
            keys.Add(info.Key.Value);
        }

        keys.ShouldBe(["a"]);
    }

    [Fact]
    public async Task A_store_that_hangs_is_given_up_when_the_budget_is_spent_and_used_again_when_it_wakes()
    {
        // A gateway of its own: the others' tests would hang too.
        await using var gateway = await CephGateway.StartAsync(None);
        await gateway.CreateBucketAsync("hanging", None);
        var clock = new ManualClock();
        var options = new RetryOptions();
        var store = new RetryingObjectStore(
            gateway.OpenStore("hanging"), options, new StorageMetrics(meters: null), NullLogger<RetryingObjectStore>.Instance, clock);
        using (store)
        {
            (await store.PutIfAbsentAsync(new ObjectKey("before"), new byte[1], None)).ShouldBeTrue();
            gateway.Pause();
            var put = store.PutIfAbsentAsync(Key, new byte[1_000], None);
            var thrown = await Should.ThrowAsync<ObjectStoreException>(() => clock.PassUntilAsync(put, options.AttemptTimeout + TimeSpan.FromSeconds(1)));
            thrown.IsPermanent.ShouldBeFalse();
            thrown.Message.ShouldContain("no answer within");
            gateway.Resume();

            // The put that nobody waited for may have gone through meanwhile; one of the two did.
            await store.PutIfAbsentAsync(Key, new byte[1_000], None);
            (await store.HeadAsync(Key, None))!.Value.Bytes.ShouldBe(1_000);
        }
    }

    private static S3ObjectStore Open(S3Options options, AWSCredentials credentials) =>
        new(options, credentials, TimeProvider.System, NullLogger<S3ObjectStore>.Instance);

    private static async Task<int> UploadsAsync(Amazon.S3.IAmazonS3 client, string bucket) =>
        (await client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = bucket })).MultipartUploads?.Count ?? 0;

    private static async Task ShouldFailEverywhereAsync(S3ObjectStore store, CephGateway gateway)
    {
        Func<Task>[] calls =
        [
            () => store.PutIfAbsentAsync(Key, new byte[1], None),
            () => store.ReplaceAsync(Key, new byte[1], None),
            () => store.BeginUploadAsync(Key, None),
            () => store.OpenReadAsync(Key, 0, null, None),
            () => store.OpenReadAsync(Key, 0, 0, None),
            () => store.HeadAsync(Key, None),
            () => store.DeleteAsync([Key], None),
            async () => await store.ListAsync("", null, None).GetAsyncEnumerator().MoveNextAsync(),
        ];
        foreach (var call in calls)
        {
            var thrown = await Should.ThrowAsync<ObjectStoreException>(call);
            thrown.IsPermanent.ShouldBeTrue(thrown.Message);
            thrown.ToString().ShouldNotContain(gateway.SecretKey);
        }
    }
}
