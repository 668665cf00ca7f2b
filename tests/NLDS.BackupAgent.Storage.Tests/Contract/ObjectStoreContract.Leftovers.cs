namespace NLDS.BackupAgent.Storage.Tests.Contract;

public abstract partial class ObjectStoreContract
{
    [Fact]
    public async Task What_is_final_is_stored_and_guarded_as_all_else()
    {
        await Store.RequireProtectionAsync(None);
        (await Store.PutIfAbsentAsync(Key("final"), Bytes(10, seed: 1), Protection.Locked, None)).ShouldBeTrue();
        (await Store.PutIfAbsentAsync(Key("final"), Bytes(10, seed: 2), Protection.Locked, None)).ShouldBeFalse();
        await ShouldHoldAsync("final", Bytes(10, seed: 1));

        await using var upload = await Store.BeginUploadAsync(Key("large"), Protection.Locked, None);
        await PutPartAsync(upload, 1);
        (await upload.CompleteAsync(None)).ShouldBeTrue();
        await ShouldHoldAsync("large", Large[..Part]);

        // No store of this suite has locks: what is final is removed when retention says so.
        await Store.DeleteAsync([Key("final"), Key("large")], None);
        (await ListAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_upload_that_is_alive_is_never_called_unfinished()
    {
        var later = DateTimeOffset.MaxValue;
        await using var upload = await Store.BeginUploadAsync(Key("alive"), None);
        await PutPartAsync(upload, 1);
        (await Store.ListUnfinishedUploadsAsync(later, None)).ShouldBeEmpty();
        (await upload.CompleteAsync(None)).ShouldBeTrue();
        await upload.DisposeAsync();
        (await Store.ListUnfinishedUploadsAsync(later, None)).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_unfinished_upload_that_is_gone_counts_as_freed()
    {
        // A real one: some stores look at the form of what they are asked for.
        await using var upload = await Store.BeginUploadAsync(Key("gone"), None);
        await upload.DisposeAsync();
        await Store.AbortUploadAsync(new UnfinishedUpload("gone", "2~0123456789abcdef0123456789abcde", DateTimeOffset.UnixEpoch), None);
    }
}
