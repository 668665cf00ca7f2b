using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Directories;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests.Directories;

public sealed class DirectoryFaultsTests : IDisposable
{
    private static readonly ObjectKey Key = new("a/b");
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TemporaryDirectory folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_root_whose_parent_is_missing_is_not_made()
    {
        await ShouldFailEverywhereAsync(Open(folder["unmounted/backups"]), "Mount the volume");
        Directory.Exists(folder["unmounted"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_root_below_a_file_fails()
    {
        await File.WriteAllTextAsync(folder["file"], "");
        await ShouldFailEverywhereAsync(Open(folder["file/backups"]), "Storage:Directory:Path");
    }

    [Fact]
    public async Task A_root_that_is_a_file_fails()
    {
        await File.WriteAllTextAsync(folder["file"], "");
        await ShouldFailEverywhereAsync(Open(folder["file"]), folder["file"]);
    }

    [Fact]
    public async Task A_volume_that_goes_away_is_a_failure_and_not_an_absence()
    {
        var store = Open(folder["backups"]);
        (await store.PutIfAbsentAsync(Key, new byte[1], None)).ShouldBeTrue();
        Directory.Move(folder["backups"], folder["elsewhere"]);
        await ShouldFailEverywhereAsync(store, folder["backups"]);

        // What an unmounted volume leaves behind: its empty mount point.
        Directory.CreateDirectory(folder["backups"]);
        await ShouldFailEverywhereAsync(store, folder["backups"]);
        Directory.EnumerateFileSystemEntries(folder["backups"]).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_cannot_be_looked_at_is_not_called_absent()
    {
        var store = Open(folder.Path);
        File.CreateSymbolicLink(folder["a"], "a");
        (await Should.ThrowAsync<ObjectStoreException>(() => store.HeadAsync(Key, None))).Message.ShouldContain("symbolic links");
        await Should.ThrowAsync<ObjectStoreException>(() => store.OpenReadAsync(Key, 0, null, None));
        await Should.ThrowAsync<ObjectStoreException>(() => store.DeleteAsync([Key], None));
    }

    [Fact]
    public async Task An_object_and_a_folder_cannot_share_a_name()
    {
        var store = Open(folder.Path);
        await store.PutIfAbsentAsync(new ObjectKey("x/y"), new byte[1], None);
        foreach (var key in (string[])["x", "x/y/z"])
        {
            var thrown = await Should.ThrowAsync<ObjectStoreException>(() => store.PutIfAbsentAsync(new ObjectKey(key), new byte[1], None));
            thrown.IsPermanent.ShouldBeTrue();
            thrown.Message.ShouldContain("cannot have the same name");
        }
    }

    [Theory]
    [InlineData(".incoming/a")]
    [InlineData("lost+found")]
    public async Task Reserved_names_are_refused(string key)
    {
        var store = Open(folder.Path);
        (await Should.ThrowAsync<ObjectStoreException>(() => store.PutIfAbsentAsync(new ObjectKey(key), new byte[1], None))).IsPermanent.ShouldBeTrue();
    }

    [Fact]
    public async Task A_name_too_long_for_the_file_system_is_told()
    {
        var store = Open(folder.Path);
        var thrown = await Should.ThrowAsync<ObjectStoreException>(() => store.PutIfAbsentAsync(new ObjectKey(new string('a', 300)), new byte[1], None));
        thrown.IsPermanent.ShouldBeTrue();
        thrown.Message.ShouldContain("too long");
    }

    [Theory]
    [InlineData(Posix.NoSpace, false, "Free space")]
    [InlineData(Posix.QuotaExceeded, false, "quota")]
    [InlineData(Posix.ReadOnlyFileSystem, true, "read-only")]
    [InlineData(Posix.AccessDenied, true, "permission")]
    [InlineData(5, false, "kernel's log")]
    public void An_error_says_what_to_do_and_whether_waiting_helps(int error, bool isPermanent, string advice)
    {
        var fault = DirectoryFaults.From("/backups", "Storing 'a'", Posix.Failure(error));
        fault.IsPermanent.ShouldBe(isPermanent);
        fault.Message.ShouldStartWith("Storing 'a' in /backups failed");
        fault.Message.ShouldContain(advice);
    }

    private static DirectoryObjectStore Open(string path) => new(path, TimeProvider.System, NullLogger<DirectoryObjectStore>.Instance);

    private static async Task ShouldFailEverywhereAsync(DirectoryObjectStore store, string message)
    {
        Func<Task>[] calls =
        [
            () => store.PutIfAbsentAsync(Key, new byte[1], None),
            () => store.ReplaceAsync(Key, new byte[1], None),
            () => store.BeginUploadAsync(Key, None),
            () => store.OpenReadAsync(Key, 0, null, None),
            () => store.HeadAsync(Key, None),
            () => store.DeleteAsync([Key], None),
            async () => await store.ListAsync("", null, None).GetAsyncEnumerator().MoveNextAsync(),
        ];
        foreach (var call in calls)
        {
            var thrown = await Should.ThrowAsync<ObjectStoreException>(call);
            thrown.Message.ShouldContain(message);
            thrown.IsPermanent.ShouldBeTrue(thrown.Message);
        }
    }
}
