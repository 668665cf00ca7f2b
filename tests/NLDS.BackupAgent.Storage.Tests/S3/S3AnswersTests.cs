using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.S3;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests.S3;

/// <summary>What the store makes of answers that a sound server does not give.</summary>
public sealed class S3AnswersTests
{
    private static readonly ObjectKey Key = new("a/b");
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData("403 Forbidden", "RequestTimeTooSkewed", false, "clock")]
    [InlineData("403 Forbidden", "AccessDenied", true, "access is denied")]
    [InlineData("403 Forbidden", "SignatureDoesNotMatch", true, "credentials")]
    [InlineData("403 Forbidden", "QuotaExceeded", false, "quota")]
    [InlineData("404 Not Found", "NoSuchBucket", true, "no such bucket")]
    [InlineData("400 Bad Request", "AuthorizationHeaderMalformed", true, "Storage:S3:Region")]
    [InlineData("400 Bad Request", "RequestTimeout", false, "busy")]
    [InlineData("400 Bad Request", "BadDigest", false, "damaged")]
    [InlineData("409 Conflict", "ConditionalRequestConflict", false, "busy")]
    [InlineData("429 Too Many Requests", "TooManyRequests", false, "busy")]
    [InlineData("500 Internal Server Error", "InternalError", false, "busy")]
    [InlineData("503 Slow Down", "SlowDown", false, "busy")]
    [InlineData("400 Bad Request", "EntityTooLarge", true, "refused")]
    public async Task Each_refusal_says_what_to_do_and_whether_waiting_helps(string status, string code, bool isPermanent, string advice)
    {
        await using var server = new ScriptedS3(_ => ScriptedS3.Error(status, code));
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance, ConditionalPut.On);
        Func<Task>[] calls =
        [
            () => store.PutIfAbsentAsync(Key, new byte[1], None),
            () => store.ReplaceAsync(Key, new byte[1], None),
            () => store.BeginUploadAsync(Key, None),
            () => store.OpenReadAsync(Key, 0, null, None),
            () => store.DeleteAsync([Key], None),
            async () => await store.ListAsync("", null, None).GetAsyncEnumerator().MoveNextAsync(),
        ];
        foreach (var call in calls)
        {
            var thrown = await Should.ThrowAsync<ObjectStoreException>(call);
            thrown.IsPermanent.ShouldBe(isPermanent, thrown.Message);
            thrown.Message.ShouldContain(advice);
            thrown.Message.ShouldContain("s3://bucket");
            thrown.ToString().ShouldNotContain(ScriptedS3.SecretKey);
        }

        // No retries by the SDK: patience has one place.
        server.Requests.Count.ShouldBe(calls.Length);
    }

    /// <summary>The store's own refusals have a code; this one is of something on the way, or of a connection that has lost its place.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("<html><body><h1>400 Bad request</h1></body></html>")]
    public async Task A_refusal_without_a_reason_is_a_passing_failure(string body)
    {
        await using var server = new ScriptedS3(_ => ScriptedS3.Answer("400 Bad Request", body));
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance, ConditionalPut.On);
        Func<Task>[] calls =
        [
            () => store.PutIfAbsentAsync(Key, new byte[1], None),
            () => store.HeadAsync(Key, None),
            () => store.OpenReadAsync(Key, 0, null, None),
            () => store.DeleteAsync([Key], None),
            async () => await store.ListAsync("", null, None).GetAsyncEnumerator().MoveNextAsync(),
        ];
        foreach (var call in calls)
        {
            var thrown = await Should.ThrowAsync<ObjectStoreException>(call);
            thrown.IsPermanent.ShouldBeFalse(thrown.Message);
            thrown.Message.ShouldContain("not a word why");
        }
    }

    /// <summary>Where the connection's end is the body's, anybody on the way can bring it about.</summary>
    [Theory]
    [InlineData("\r\nhalf of it")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n")]
    public async Task A_body_whose_length_nobody_has_said_is_a_failure(string rest)
    {
        await using var server = new ScriptedS3(_ => $"HTTP/1.1 200 OK\r\nETag: \"d41d8cd98f00b204e9800998ecf8427e-1\"\r\n{rest}");
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance);

        var thrown = await Should.ThrowAsync<ObjectStoreException>(async () =>
        {
            await using var body = await store.OpenReadAsync(Key, 0, null, None);
            await body.CopyToAsync(Stream.Null);
        });

        thrown.IsPermanent.ShouldBeFalse();
        thrown.Message.ShouldContain("how long");
    }

    [Fact]
    public async Task A_body_is_sent_without_asking_first()
    {
        await using var server = new ScriptedS3(_ => ScriptedS3.Stored);
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance, ConditionalPut.On);
        (await store.PutIfAbsentAsync(Key, new byte[100_000], None)).ShouldBeTrue();
        server.Requests.ShouldHaveSingleItem().ShouldNotContain("Expect");
    }

    [Fact]
    public async Task A_bare_404_of_a_proxy_is_not_an_absence()
    {
        await using var server = new ScriptedS3(_ => ScriptedS3.Absent);
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance);
        await Should.ThrowAsync<ObjectStoreException>(() => store.HeadAsync(Key, None));
        await Should.ThrowAsync<ObjectStoreException>(() => store.OpenReadAsync(Key, 0, null, None));
    }

    [Fact]
    public async Task A_body_shorter_than_announced_is_a_passing_failure()
    {
        await using var server = new ScriptedS3(_ => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance);
        await using var body = await store.OpenReadAsync(Key, 0, null, None);
        using var copy = new MemoryStream();
        (await Should.ThrowAsync<ObjectStoreException>(() => body.CopyToAsync(copy))).IsPermanent.ShouldBeFalse();
        copy.Length.ShouldBe(5);
    }

    [Fact]
    public async Task A_store_that_ignores_the_range_is_found_out()
    {
        await using var server = new ScriptedS3(_ => ScriptedS3.Answer("200 OK", "1234567890"));
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance);
        (await Should.ThrowAsync<ObjectStoreException>(() => store.OpenReadAsync(Key, 5, null, None))).IsPermanent.ShouldBeTrue();
    }

    [Fact]
    public async Task One_object_that_is_not_deleted_is_a_failure()
    {
        await using var server = new ScriptedS3(_ => ScriptedS3.Answer(
            "200 OK", "<DeleteResult><Error><Key>a/b</Key><Code>AccessDenied</Code><Message>locked</Message></Error></DeleteResult>"));
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance);
        var thrown = await Should.ThrowAsync<ObjectStoreException>(() => store.DeleteAsync([Key, new ObjectKey("c")], None));
        thrown.IsPermanent.ShouldBeTrue();
        thrown.Message.ShouldContain("'a/b'");
        thrown.Message.ShouldContain("AccessDenied");
    }

    [Fact]
    public async Task A_store_that_nobody_answers_for_is_a_passing_failure()
    {
        var store = new S3ObjectStore(
            new S3Options { Bucket = "bucket", ServiceUrl = $"http://127.0.0.1:{FreePorts.Take(1)[0]}" },
            new Amazon.Runtime.BasicAWSCredentials("access", ScriptedS3.SecretKey),
            TimeProvider.System,
            NullLogger<S3ObjectStore>.Instance);
        using (store)
        {
            var thrown = await Should.ThrowAsync<ObjectStoreException>(() => store.HeadAsync(Key, None));
            thrown.IsPermanent.ShouldBeFalse(thrown.Message);
            thrown.Message.ShouldContain("Storage:S3:ServiceUrl");
        }
    }
}
