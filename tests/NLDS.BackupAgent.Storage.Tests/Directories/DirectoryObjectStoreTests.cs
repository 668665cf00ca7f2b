using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Directories;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests.Directories;

public sealed class DirectoryObjectStoreTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TemporaryDirectory folder = new();
    private readonly ManualClock clock = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task An_object_is_a_file_that_others_cannot_read()
    {
        await Open().PutIfAbsentAsync(new ObjectKey("a/b.json"), "text"u8.ToArray(), None);
        (await File.ReadAllTextAsync(folder["a/b.json"])).ShouldBe("text");
        (File.GetUnixFileMode(folder["a/b.json"]) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite)).ShouldBe(UnixFileMode.None);
        (File.GetUnixFileMode(folder["a"]) & (UnixFileMode.OtherExecute | UnixFileMode.OtherRead)).ShouldBe(UnixFileMode.None);
    }

    [Fact]
    public async Task Nothing_temporary_stays_behind()
    {
        var store = Open();
        await store.PutIfAbsentAsync(new ObjectKey("a"), new byte[1], None);
        await store.PutIfAbsentAsync(new ObjectKey("a"), new byte[1], None);
        await store.ReplaceAsync(new ObjectKey("a"), new byte[1], None);
        await using (var upload = await store.BeginUploadAsync(new ObjectKey("b"), None))
        {
            await upload.PutPartAsync(1, 0, new byte[1], None);
            Directory.GetFiles(folder[".incoming"]).Length.ShouldBe(1);
        }

        Directory.GetFiles(folder[".incoming"]).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_an_interrupted_write_left_is_removed_after_a_day()
    {
        Directory.CreateDirectory(folder[".incoming"]);
        await File.WriteAllTextAsync(folder[".incoming/old"], "");
        await File.WriteAllTextAsync(folder[".incoming/young"], "");
        File.SetLastWriteTimeUtc(folder[".incoming/old"], clock.GetUtcNow().UtcDateTime - TimeSpan.FromHours(25));
        File.SetLastWriteTimeUtc(folder[".incoming/young"], clock.GetUtcNow().UtcDateTime - TimeSpan.FromHours(23));
        await Open().HeadAsync(new ObjectKey("a"), None);
        Directory.GetFiles(folder[".incoming"]).ShouldBe([folder[".incoming/young"]]);
    }

    [Fact]
    public async Task What_a_killed_agent_left_is_found_by_the_next_and_freed()
    {
        var (killed, next) = (Open(), Open());
        var upload = await killed.BeginUploadAsync(new ObjectKey("a"), None);
        await upload.PutPartAsync(1, 0, new byte[1], None);
        var written = File.GetLastWriteTimeUtc(Directory.GetFiles(folder[".incoming"]).Single());

        (await killed.ListUnfinishedUploadsAsync(DateTimeOffset.MaxValue, None)).ShouldBeEmpty();
        (await next.ListUnfinishedUploadsAsync(written, None)).ShouldBeEmpty();
        var found = (await next.ListUnfinishedUploadsAsync(written + TimeSpan.FromTicks(1), None)).ShouldHaveSingleItem();
        await next.AbortUploadAsync(found, None);
        await next.AbortUploadAsync(found, None);
        Directory.GetFiles(folder[".incoming"]).ShouldBeEmpty();

        // Had it been alive after all, it would learn of it rather than lose bytes.
        await Should.ThrowAsync<ObjectStoreException>(() => upload.CompleteAsync(None));
        await upload.DisposeAsync();
        (await next.HeadAsync(new ObjectKey("a"), None)).ShouldBeNull();
    }

    [Fact]
    public async Task Only_what_lies_among_the_unfinished_can_be_freed_as_such()
    {
        var store = Open();
        await store.PutIfAbsentAsync(new ObjectKey("a"), new byte[1], None);
        await store.AbortUploadAsync(new UnfinishedUpload("a", "../a", default), None);
        (await store.HeadAsync(new ObjectKey("a"), None)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Foreign_files_are_no_objects()
    {
        var store = Open();
        await store.PutIfAbsentAsync(new ObjectKey("a"), new byte[1], None);
        await File.WriteAllTextAsync(folder["with space"], "");
        Directory.CreateDirectory(folder["lost+found"]);
        await File.WriteAllTextAsync(folder["lost+found/x"], "");
        List<string> keys = [];
        await foreach (var info in store.ListAsync("", null, None))
        {
            keys.Add(info.Key.Value);
        }

        keys.ShouldBe(["a"]);
    }

    [Fact]
    public async Task A_file_that_is_cut_while_it_is_read_is_an_error()
    {
        var store = Open();
        await store.PutIfAbsentAsync(new ObjectKey("a"), new byte[1_000], None);
        await using var body = await store.OpenReadAsync(new ObjectKey("a"), 0, null, None);
        await body.ReadExactlyAsync(new byte[500]);
        await using (var file = new FileStream(folder["a"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(600);
        }

        using var copy = new MemoryStream();
        (await Should.ThrowAsync<ObjectStoreException>(() => body.CopyToAsync(copy))).Message.ShouldContain("400 bytes too early");
    }

    private DirectoryObjectStore Open() => new(folder.Path, clock, NullLogger<DirectoryObjectStore>.Instance);
}
