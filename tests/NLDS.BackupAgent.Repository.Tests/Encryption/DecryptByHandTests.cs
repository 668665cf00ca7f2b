using System.Text;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Tests.Backups;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Encryption;

/// <summary>What <c>docs/decrypt-by-hand.md</c> says, done: another program, in another language, opens what this one wrote.</summary>
public sealed class DecryptByHandTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly string Script = Path.Combine(Checkout.Root, "docs", "decrypt.py");

    [Theory]
    [InlineData("zstd", "zstd -dc")]
    [InlineData("gzip", "gzip -dc")]
    [InlineData("none", "cat")]
    public async Task A_backup_and_its_documents_open(string compression, string tool)
    {
        var bench = new BackupBench(new MemoryObjectStore(), compression, TestKeys.First);
        await bench.Repository.PrepareAsync(None);
        var backup = await bench.TakeAsync(BackupBench.Folders);
        var large = LogBench.Random(4, 300_000);
        await using (var session = await bench.Repository.BeginBackupAsync(BackupBench.Folders, None))
        await using (var writer = session.BeginObject("large.tar"))
        {
            await writer.WriteAsync(large, None);
            await session.SealObjectAsync(writer, None);
            backup.Manifest.Objects.Count.ShouldBe(3);
            var sealedLarge = await session.SealAsync(BackupBench.Details, None);
            using var directory = await CopyAsync(bench.Store);
            (await RunAsync(directory, sealedLarge.Manifest.Objects[0].Key, tool)).ShouldBe(large);
        }

        using var repository = await CopyAsync(bench.Store);
        (await RunAsync(repository, backup.Manifest.Objects[0].Key, tool)).ShouldBe(BackupBench.Content);
        (await RunAsync(repository, backup.Manifest.Objects[1].Key)).ShouldBe("label"u8.ToArray());
        (await RunAsync(repository, backup.Manifest.Objects[2].Key, tool)).ShouldBeEmpty();
        foreach (var document in new[] { $"source/full/{backup.Id}/manifest.json", $"keys/{TestKeys.Id(TestKeys.First)}.json", "repository.json" })
        {
            Encoding.UTF8.GetString(await RunAsync(repository, document)).ShouldBe($"written with key {TestKeys.Id(TestKeys.First)}\n");
        }
    }

    [Theory]
    [InlineData(Codec.Zstd, "zstd -dc")]
    [InlineData(Codec.Gzip, "gzip -dc")]
    [InlineData(Codec.None, "cat")]
    public async Task A_segment_and_a_chunk_open_and_show_their_seals(Codec codec, string tool)
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(6, 250_000), codec, 200_000, TestKeys.First);
        await bench.Archive.PrepareAsync(None);
        await using (var writer = bench.Open())
        {
            await writer.FlushToAsync(200_000);
            await writer.FlushToAsync(250_000);
            await writer.CompleteAsync();
        }

        using var repository = await CopyAsync(bench.Store);
        var pieces = (await bench.Archive.ReadInventoryAsync(None)).Pieces;
        pieces.Count.ShouldBe(2);
        foreach (var piece in pieces)
        {
            (await RunAsync(repository, piece.Key.Value, tool)).ShouldBe(bench.Content[(int)piece.Range.Start..(int)piece.Range.End]);
            Encoding.UTF8.GetString(await HandTools.RunAsync(repository.Path, $"python3 {Script} key . {piece.Key} --seal")).ShouldContain($"\"end\": {piece.Range.End}");
        }
    }

    [Fact]
    public async Task The_pages_lines_make_a_repository_without_encryption_and_leave_out_what_is_damaged()
    {
        var bench = new BackupBench(new MemoryObjectStore(), keys: TestKeys.First);
        await bench.Repository.PrepareAsync(None);
        var objects = (await bench.TakeAsync(BackupBench.Folders)).Manifest.Objects;
        using var parent = new TemporaryDirectory();
        using var repository = await CopyAsync(bench.Store);
        var page = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "docs", "decrypt-by-hand.md"), None);
        var lines = page.Split("<!-- decrypt everything: begin -->")[1].Split("<!-- decrypt everything: end -->")[0].Replace("```sh", "").Replace("```", "");
        await HandTools.RunAsync(parent.Path, $"mv {repository.Path} repository; mv repository/key key; cp {Script} .; truncate -s -1 repository/{objects[2].Key}");

        Encoding.UTF8.GetString(await HandTools.RunAsync(parent.Path, lines)).ShouldBe($"NOT TO BE USED: {objects[2].Key}\n");

        (await HandTools.RunAsync(parent.Path, $"cd plain && zstd -dc {objects[0].Key[..^4]}")).ShouldBe(BackupBench.Content);
        (await HandTools.RunAsync(parent.Path, $"cd plain && cat {objects[1].Key[..^4]}")).ShouldBe("label"u8.ToArray());
        Encoding.UTF8.GetString(await HandTools.RunAsync(parent.Path, "cd plain && find . -name '*.enc' -o -path './keys/*' -o -name 'empty*'")).ShouldBeEmpty();
        await HandTools.RunAsync(parent.Path, $"cmp plain/repository.json repository/repository.json");
    }

    [Fact]
    public async Task What_was_changed_moved_or_takes_another_key_is_refused()
    {
        var bench = new BackupBench(new MemoryObjectStore(), keys: TestKeys.First);
        await bench.Repository.PrepareAsync(None);
        var backup = await bench.TakeAsync(BackupBench.Folders);
        var name = backup.Manifest.Objects[0].Key;
        using var repository = await CopyAsync(bench.Store);
        await HandTools.RunAsync(repository.Path, $"""
            refused() (! python3 {Script} "$@" >out 2>err && grep -q "$wanted" err && ! grep -q Traceback err)
            cp {name} moved.enc; wanted='not what was written' refused key . moved.enc
            truncate -s -1 {name}; wanted='not what was written' refused key . {name}
            echo {TestKeys.Second} >other; wanted='it takes key {TestKeys.Id(TestKeys.First)}' refused other . {backup.Manifest.Objects[1].Key}
            sed -i s/7301/7302/ source/full/{backup.Id}/manifest.json; wanted=damaged refused key . source/full/{backup.Id}/manifest.json
            """);
    }

    private static async Task<TemporaryDirectory> CopyAsync(IObjectStore store)
    {
        var directory = new TemporaryDirectory();
        await foreach (var entry in store.ListAsync("", null, None))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(directory[entry.Key.Value])!);
            await File.WriteAllBytesAsync(directory[entry.Key.Value], await Documents.SmallObjects.ReadAllAsync(store, entry.Key, None), None);
        }

        await File.WriteAllTextAsync(directory["key"], TestKeys.First + "\n", None);
        return directory;
    }

    private static Task<byte[]> RunAsync(TemporaryDirectory repository, string name, string? tool = null) =>
        HandTools.RunAsync(repository.Path, $"python3 {Script} key . {name} >content{(tool is null ? "; cat content" : $"; {tool} <content")}");
}
