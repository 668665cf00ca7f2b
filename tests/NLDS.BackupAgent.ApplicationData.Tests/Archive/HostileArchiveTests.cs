using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.ApplicationData.Tests.Archive;

/// <summary>Archives that are not what their manifest says: refused before anything is written, and found by verification.</summary>
[Collection(typeof(ServersCollection))]
public sealed class HostileArchiveTests(Servers servers)
{
    private const string Good = """{"timestamp": "x", "row_count": 1, "rows": [{"id": 1}]}""";

    private static readonly List<(string Says, Func<ArchiveManifest, byte[]> Archive)> Hostile =
    [
        ("ends in the middle", manifest => Whole(manifest, Good)[..^1024]),
        ("names", manifest => [.. Entry(manifest, ArchiveScanner.ManifestName, ArchiveDetails.Bytes(manifest)), .. new byte[1024]]),
        ("names", manifest => [.. Entry(manifest, "t.json", Encoding.UTF8.GetBytes(Good)), .. new byte[1024]]),
        ("none that the manifest names", manifest => [.. Entry(manifest, "other.json", [1]), .. Whole(manifest, Good)]),
        ("there twice", manifest => [.. Entry(manifest, "t.json", Encoding.UTF8.GetBytes(Good)), .. Whole(manifest, Good)]),
        ("outside", manifest => [.. Header("../../etc/passwd", Good.Length), .. new byte[1024]]),
        ("instead of", manifest => [.. Entry(manifest, "t.json", Encoding.UTF8.GetBytes(Good + " ")), .. new byte[1024]]),
        ("SHA-256", manifest => Whole(manifest, Good.Replace("1}", "2}", StringComparison.Ordinal))),
        ("another than", manifest => [.. Entry(manifest, "t.json", Encoding.UTF8.GetBytes(Good)), .. Entry(manifest, ArchiveScanner.ManifestName, "{}"u8.ToArray()), .. new byte[1024]]),
        ("behind its end", manifest => [.. Whole(manifest, Good), .. Entry(manifest, "late.json", [1])]),
        ("no tar archive", _ => Encoding.ASCII.GetBytes(new string('x', 2048))),
        ("no plain file", manifest => Link(manifest)),
    ];

    public static TheoryData<int> HostileNumbers => [.. Enumerable.Range(0, Hostile.Count)];

    public static TheoryData<string, string> Documents() => new()
    {
        { "no JSON document", "not json" },
        { "no JSON document", Good[..^1] },
        { "no column", """{"row_count": 1, "rows": [{"id": 1, "x": 2}]}""" },
        { "lacks the column", """{"row_count": 1, "rows": [{}]}""" },
        { "says that it has 2", """{"row_count": 2, "rows": [{"id": 1}]}""" },
        { "instead of 1", """{"row_count": 2, "rows": [{"id": 1}, {"id": 2}]}""" },
    };

    [Theory]
    [MemberData(nameof(HostileNumbers))]
    public async Task A_wrong_archive_is_refused_before_anything_is_written(int number) => await RefuseAsync(Hostile[number].Says, Good, Hostile[number].Archive);

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task A_wrong_document_is_refused_before_anything_is_written(string says, string document) => await RefuseAsync(says, document, manifest => Whole(manifest, document));

    [Fact]
    public async Task A_flipped_bit_a_cut_and_a_missing_archive_are_found()
    {
        await using var bench = await Bench.StartAsync(servers, "CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)", Bench.OnlyTable());
        var key = new ObjectKey(ArchiveDetails.ArchiveOf(await bench.TakeAsync()).Key);
        using var copy = new MemoryStream();
        await using (var stored = await bench.Store.OpenReadAsync(key, 0, null, CancellationToken.None))
        {
            await stored.CopyToAsync(copy);
        }

        var flipped = copy.ToArray();
        flipped[^20] ^= 1;
        foreach (var damaged in new[] { flipped, copy.ToArray()[..^10], null })
        {
            await (damaged is null ? bench.Store.DeleteAsync([key], CancellationToken.None) : bench.Store.ReplaceAsync(key, damaged, CancellationToken.None));

            await Should.ThrowAsync<NotRestorableException>(() => bench.PlanAsync());
            (await bench.VerifyAsync()).Damage.ShouldHaveSingleItem().Subject.ShouldBe(key.Value);
        }
    }

    private async Task RefuseAsync(string says, string document, Func<ArchiveManifest, byte[]> archive)
    {
        await using var bench = await Bench.StartAsync(servers, "CREATE TABLE t (id integer PRIMARY KEY)", Bench.OnlyTable());
        await bench.Repository.PrepareAsync(CancellationToken.None);
        await using (var session = await bench.Repository.BeginBackupAsync(ArchiveDetails.Layout, CancellationToken.None))
        {
            var manifest = Manifest(session.Id, document);
            await using var content = session.BeginObject(ArchiveDetails.ObjectName, Codec.Gzip);
            await content.WriteAsync(archive(manifest), CancellationToken.None);
            await session.SealObjectAsync(content, CancellationToken.None);
            await session.SealAsync(JsonSerializer.SerializeToElement(manifest, ArchiveJson.Default.ArchiveManifest), CancellationToken.None);
        }

        (await Should.ThrowAsync<NotRestorableException>(() => bench.PlanAsync())).Message.ShouldContain(says);
        (await bench.ScalarAsync<long>("SELECT count(*) FROM t")).ShouldBe(0);
        (await bench.VerifyAsync()).Damage.ShouldHaveSingleItem().What.ShouldContain(says);
    }

    private static ArchiveManifest Manifest(BackupId id, string document) => new()
    {
        BackupId = ArchiveDetails.FolderOf(id),
        Timestamp = id.ToString(),
        Version = ArchiveManifest.CurrentVersion,
        BackupType = "application_data",
        Files = ["t.json"],
        RetentionPolicy = new(30, 12, 12),
        DataSets =
        [
            new ArchivedSet
            {
                Name = "t", Count = 1, Table = "t", RowsName = "rows", CountName = "row_count", Columns = [new ArchivedColumn("id", "integer", ValueShape.Number)],
                Files = [new ArchivedFile("t.json", Encoding.UTF8.GetByteCount(document), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(document))), 1)],
            },
        ],
        Omissions = [],
        Abandoned = [],
    };

    private static byte[] Whole(ArchiveManifest manifest, string document) =>
        [.. Entry(manifest, "t.json", Encoding.UTF8.GetBytes(document)), .. Entry(manifest, ArchiveScanner.ManifestName, ArchiveDetails.Bytes(manifest)), .. new byte[1024]];

    private static byte[] Entry(ArchiveManifest manifest, string name, byte[] content) =>
        [.. Header($"{manifest.BackupId}/{name}", content.Length), .. content, .. new byte[-content.Length & 511]];

    private static byte[] Header(string name, long bytes) => TarHeader.Write(name, bytes, DateTimeOffset.UnixEpoch);

    /// <summary>A symbolic link, with a checksum that is right.</summary>
    private static byte[] Link(ArchiveManifest manifest)
    {
        var header = Header($"{manifest.BackupId}/t.json", 0);
        header[156] = (byte)'2';
        header.AsSpan(148, 8).Fill((byte)' ');
        Encoding.ASCII.GetBytes(Convert.ToString(header.Sum(b => b), 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
        return [.. header, .. new byte[1024]];
    }
}
