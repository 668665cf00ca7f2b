using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Storage.Tests.Resilience;

public sealed class RetryingObjectStoreTests : IDisposable
{
    private static readonly ObjectKey Key = new("a/b");
    private static readonly byte[] Content = [.. Enumerable.Range(0, 200).Select(number => (byte)number)];
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly RetriesFixture fixture = new();

    public static TheoryData<string> Operations => ["put", "replace", "begin", "part", "complete", "get", "head", "list", "delete", "locks", "uploads", "abort"];

    public void Dispose() => fixture.Dispose();

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task A_call_that_fails_three_times_is_tried_a_fourth_time(string operation)
    {
        await fixture.Memory.PutIfAbsentAsync(Key, Content, None);
        var failures = 0;
        fixture.Faulty.FailWhen((_, called) => called == operation && failures++ < 3 ? Fault.Transient : null);
        await fixture.PassAsync(CallAsync(operation, None));
        failures.ShouldBe(4);
        fixture.Counted("backup_store_retries_total", operation).ShouldBe(3);
        fixture.Counted("backup_store_requests_total", operation).ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task A_permanent_failure_is_told_at_once(string operation)
    {
        var calls = 0;
        fixture.Faulty.FailWhen((_, called) => called == operation && ++calls > 0 ? Fault.Permanent : null);
        (await Should.ThrowAsync<ObjectStoreException>(() => CallAsync(operation, None))).IsPermanent.ShouldBeTrue();
        calls.ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task The_callers_cancellation_ends_the_call_and_is_no_failure(string operation)
    {
        var calls = 0;
        fixture.Faulty.FailWhen((_, called) => called == operation && ++calls > 0 ? Fault.Hang : null);
        using var cancellation = new CancellationTokenSource();
        var call = CallAsync(operation, cancellation.Token);
        await fixture.Faulty.WaitForHangAsync();
        await cancellation.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => call);
        calls.ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task A_call_that_gets_no_answer_is_tried_again(string operation)
    {
        await fixture.Memory.PutIfAbsentAsync(Key, Content, None);
        var calls = 0;
        fixture.Faulty.FailWhen((_, called) => called == operation && ++calls == 1 ? Fault.Hang : null);
        var call = CallAsync(operation, None);
        await fixture.Faulty.WaitForHangAsync();
        fixture.Clock.Advance(fixture.Options.AttemptTimeout + TimeSpan.FromSeconds(1));
        await fixture.PassAsync(call);
        calls.ShouldBe(2);
    }

    [Fact]
    public async Task Absence_is_an_answer_and_not_a_failure()
    {
        await Should.ThrowAsync<ObjectNotFoundException>(() => fixture.Store.OpenReadAsync(Key, 0, null, None));
        fixture.Faulty.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task When_the_budget_is_spent_the_last_failure_is_told()
    {
        fixture.Faulty.FailFrom(1, Fault.Transient);
        var began = fixture.Clock.GetUtcNow();
        var thrown = await Should.ThrowAsync<ObjectStoreException>(() => fixture.PassAsync(fixture.Store.HeadAsync(Key, None)));
        thrown.IsPermanent.ShouldBeFalse();
        thrown.Message.ShouldContain("Storage:Retry:TotalBudget");
        thrown.Message.ShouldContain("An injected fault");
        (fixture.Clock.GetUtcNow() - began).ShouldBe(fixture.Options.TotalBudget);
        fixture.Faulty.Calls.ShouldBeInRange(5, 100);
    }

    [Fact]
    public async Task A_large_part_has_more_time_than_a_small_one()
    {
        fixture.Faulty.FailCall(2, Fault.Hang);
        await using var upload = await fixture.Store.BeginUploadAsync(Key, None);
        var part = upload.PutPartAsync(1, 0, new byte[8 << 20], None);
        await fixture.Faulty.WaitForHangAsync();
        fixture.Clock.Advance(fixture.Options.AttemptTimeout + TimeSpan.FromSeconds(31));
        fixture.Faulty.Calls.ShouldBe(2);
        part.IsCompleted.ShouldBeFalse();
        fixture.Clock.Advance(TimeSpan.FromSeconds(2));
        await fixture.PassAsync(part);
        fixture.Faulty.Calls.ShouldBe(3);
    }

    [Fact]
    public async Task A_put_whose_answer_was_lost_finds_its_own_object_and_says_false()
    {
        fixture.Faulty.FailCall(1, Fault.LostAnswer);
        (await fixture.PassAsync(fixture.Store.PutIfAbsentAsync(Key, Content, None))).ShouldBeFalse();
        (await fixture.Memory.HeadAsync(Key, None))!.Value.Bytes.ShouldBe(Content.Length);
    }

    [Fact]
    public async Task A_completion_whose_answer_was_lost_says_true()
    {
        await using var upload = await fixture.Store.BeginUploadAsync(Key, None);
        await upload.PutPartAsync(1, 0, Content, None);
        fixture.Faulty.FailCall(1, Fault.LostAnswer);
        (await fixture.PassAsync(upload.CompleteAsync(None))).ShouldBeTrue();
    }

    [Fact]
    public async Task A_listing_goes_on_after_what_it_has_told()
    {
        List<string> keys = [.. Enumerable.Range(0, 2_500).Select(number => $"many/{number:D5}")];
        foreach (var key in keys)
        {
            await fixture.Memory.PutIfAbsentAsync(new ObjectKey(key), Content.AsMemory(0, 1), None);
        }

        fixture.Faulty.FailWhen((call, _) => call <= 2 ? Fault.Transient : null);
        (await fixture.PassAsync(ListAsync(None))).ShouldBe(keys);
        fixture.Counted("backup_store_retries_total", "list").ShouldBe(2);
        fixture.Faulty.Calls.ShouldBe(3, "one listing is kept open over all pages");
    }

    private Task<int> CallAsync(string operation, CancellationToken cancellationToken) => operation switch
    {
        "put" => Done(fixture.Store.PutIfAbsentAsync(new ObjectKey("new"), Content, cancellationToken)),
        "replace" => Done(fixture.Store.ReplaceAsync(Key, Content, cancellationToken)),
        "begin" or "part" or "complete" => UploadAsync(cancellationToken),
        "get" => Done(fixture.Store.OpenReadAsync(Key, 0, null, cancellationToken)),
        "head" => Done(fixture.Store.HeadAsync(Key, cancellationToken)),
        "list" => Done(ListAsync(cancellationToken)),
        "delete" => Done(fixture.Store.DeleteAsync([Key], cancellationToken)),
        "locks" => Done(fixture.Store.RequireProtectionAsync(cancellationToken)),
        "uploads" => Done(fixture.Store.ListUnfinishedUploadsAsync(fixture.Clock.GetUtcNow(), cancellationToken)),
        "abort" => Done(fixture.Store.AbortUploadAsync(new UnfinishedUpload("a/b", "7", fixture.Clock.GetUtcNow()), cancellationToken)),
        _ => throw new ArgumentOutOfRangeException(nameof(operation)),
    };

    private static async Task<int> Done(Task call)
    {
        await call;
        return 0;
    }

    private async Task<int> UploadAsync(CancellationToken cancellationToken)
    {
        await using var upload = await fixture.Store.BeginUploadAsync(new ObjectKey("new"), cancellationToken);
        await upload.PutPartAsync(1, 0, Content, cancellationToken);
        (await upload.CompleteAsync(cancellationToken)).ShouldBeTrue();
        return 0;
    }

    private async Task<List<string>> ListAsync(CancellationToken cancellationToken)
    {
        List<string> keys = [];
        await foreach (var info in fixture.Store.ListAsync("", null, cancellationToken))
        {
            keys.Add(info.Key.Value);
        }

        return keys;
    }
}
