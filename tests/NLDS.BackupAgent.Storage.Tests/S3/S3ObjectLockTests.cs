using Amazon.S3;
using Amazon.S3.Model;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests.S3;

public sealed class S3ObjectLockTests(SharedCephGateway shared)
{
    private const string Bucket = "locked";

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly ObjectKey Final = new("final");
    private static readonly ObjectKey Large = new("large");
    private static readonly ObjectKey Chunk = new("tail/chunk");

    /// <summary>Begins at the true time, because the gateway refuses to lock until a time that has passed.</summary>
    private readonly ManualClock clock = new(TimeProvider.System.GetUtcNow());

    [Theory]
    [InlineData(RetentionMode.Governance)]
    [InlineData(RetentionMode.Compliance)]
    public async Task What_is_final_is_left_until_its_time_has_passed_and_all_else_is_deleted(RetentionMode mode)
    {
        var store = await OpenAsync($"mode-{mode}", mode);
        await store.RequireProtectionAsync(None);
        await PutAllAsync(store);
        await store.ReplaceAsync(new ObjectKey("register"), new byte[1], None);

        var kept = await Should.ThrowAsync<ObjectStoreException>(
            () => store.DeleteAsync([Final, Chunk, new ObjectKey("absent"), Large, new ObjectKey("register")], None));
        kept.IsPermanent.ShouldBeTrue();
        kept.Message.ShouldContain("2 of 5 objects");
        kept.Locked.Select(locked => locked.Key).ShouldBe([Final, Large]);
        kept.Locked.ShouldAllBe(locked => (locked.Until - clock.GetUtcNow() - TimeSpan.FromDays(3)).Duration() < TimeSpan.FromSeconds(2));
        (await ListAsync(store)).ShouldBe(["final", "large"]);

        clock.Advance(TimeSpan.FromDays(3) + TimeSpan.FromMinutes(1));
        await store.DeleteAsync([Final, Large], None);
        (await ListAsync(store)).ShouldBeEmpty();

        // Hidden already: the answer for what was deleted before is the same.
        await store.DeleteAsync([Final, Chunk], None);
    }

    [Fact]
    public async Task The_store_itself_refuses_whoever_tries_to_destroy_a_locked_version()
    {
        var store = await OpenAsync("enemy", RetentionMode.Compliance);
        await PutAllAsync(store);
        using var enemy = (await shared.GetAsync()).CreateClient();
        var versions = await enemy.ListVersionsAsync(new ListVersionsRequest { BucketName = Bucket, Prefix = "enemy/" });
        foreach (var name in (string[])["enemy/final", "enemy/large"])
        {
            // Newest first.
            var version = versions.Versions.First(found => found.Key == name).VersionId;
            (await Should.ThrowAsync<AmazonS3Exception>(() => enemy.DeleteObjectAsync(
                new DeleteObjectRequest { BucketName = Bucket, Key = name, VersionId = version, BypassGovernanceRetention = true }))).ErrorCode.ShouldBe("AccessDenied");
        }

        var chunk = versions.Versions.Single(found => found.Key == "enemy/tail/chunk").VersionId;
        await enemy.DeleteObjectAsync(new DeleteObjectRequest { BucketName = Bucket, Key = "enemy/tail/chunk", VersionId = chunk });
    }

    [Fact]
    public async Task Without_the_setting_nothing_is_locked_even_where_it_could_be()
    {
        var store = await OpenAsync("unset", RetentionMode.None);
        await store.RequireProtectionAsync(None);
        await PutAllAsync(store);
        await store.DeleteAsync([Final, Large, Chunk], None);
        (await ListAsync(store)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_bucket_without_locks_is_told_before_and_at_the_first_put()
    {
        var gateway = await shared.GetAsync();
        var options = gateway.Options(SharedCephGateway.Bucket, $"tests/{Guid.NewGuid():N}");
        options.ObjectLock = new ObjectLockOptions { Mode = RetentionMode.Governance, RetainDays = 3 };
        var store = gateway.OpenStore(options, clock);
        Func<Task>[] calls =
        [
            () => store.RequireProtectionAsync(None),
            () => store.PutIfAbsentAsync(Final, new byte[1], Protection.Locked, None),
            async () =>
            {
                await using var upload = await store.BeginUploadAsync(Large, Protection.Locked, None);
                await upload.PutPartAsync(1, 0, new byte[1], None);
                await upload.CompleteAsync(None);
            },
        ];
        foreach (var call in calls)
        {
            var thrown = await Should.ThrowAsync<ObjectStoreException>(call);
            thrown.IsPermanent.ShouldBeTrue(thrown.Message);
            thrown.Message.ShouldContain("no Object Lock");
            thrown.Message.ShouldContain("Storage:S3:ObjectLock:Mode");
        }

        // What is not final needs no locks.
        (await store.PutIfAbsentAsync(Chunk, new byte[1], None)).ShouldBeTrue();
        await store.DeleteAsync([Chunk], None);
    }

    private static async Task PutAllAsync(IObjectStore store)
    {
        (await store.PutIfAbsentAsync(Final, new byte[10], Protection.Locked, None)).ShouldBeTrue();
        (await store.PutIfAbsentAsync(Final, new byte[10], Protection.Locked, None)).ShouldBeFalse();
        (await store.PutIfAbsentAsync(Chunk, new byte[10], None)).ShouldBeTrue();
        await using var writer = new ObjectWriter(store, Large, protection: Protection.Locked);
        await writer.WriteAsync(new byte[ObjectWriter.MinimumPartBytes + 1], None);
        (await writer.SealAsync(None)).ShouldBeTrue();
    }

    private static async Task<List<string>> ListAsync(IObjectStore store)
    {
        List<string> keys = [];
        await foreach (var info in store.ListAsync("", null, None))
        {
            keys.Add(info.Key.Value);
        }

        return keys;
    }

    private async Task<IObjectStore> OpenAsync(string prefix, RetentionMode mode)
    {
        var gateway = await shared.GetAsync();
        await gateway.CreateBucketAsync(Bucket, None, hasObjectLock: true);
        var options = gateway.Options(Bucket, prefix);
        options.ObjectLock = new ObjectLockOptions { Mode = mode, RetainDays = mode == RetentionMode.None ? null : 3 };
        return gateway.OpenStore(options, clock);
    }
}
