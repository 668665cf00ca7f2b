using System.Text;
using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tests.Archive;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Postgres.Tests.Fuzzing;

/// <summary>Base backups as a hostile server or store makes them: refused as damaged, and nothing lands outside of the directory that they are unpacked in.</summary>
public sealed class ArchiveFuzzTests
{
    private static readonly byte[][] Words =
        [.. new[] { "../", "/etc/passwd", "./", "//", "..", "\\", "global/pg_control", "tablespace_map", "a/", "ustar\0", "00000000000\0", "77777777777\0" }.Select(Encoding.ASCII.GetBytes), [0x80, 0xff, 0xff, 0xff]];

    private static readonly ByteMutator Archives = new(
        [
            new TarBuilder().File("PG_VERSION", "15\n"u8.ToArray()).Directory("base").Directory("base/1").File("base/1/1259", new byte[1000]).File("global/pg_control", new byte[300]).Build(),
            new TarBuilder().Directory("PG_15_202209061").File("PG_15_202209061/5/16390", new byte[8192]).Entry("link", '2', []).Build(),
        ],
        Words);

    [Fact]
    public void No_name_leaves_the_directory_whatever_the_archive() =>
        new Fuzzer("the tar scanner", NextArchive, input => Scan(input, new Places("/target")), refusal => refusal is InvalidDataException) { BytesPerByte = 40 }.Run(1000);

    [Fact]
    public void Nothing_is_written_outside_and_nothing_half_is_taken_for_whole()
    {
        using var directory = new TemporaryDirectory();
        new Fuzzer(
            "unpacking",
            NextArchive,
            input =>
            {
                var target = Directory.CreateDirectory(directory["target"]).FullName;
                try
                {
                    using var unpacker = new Unpacker(target, null, new FileDigest(), FileOwner.For(target));
                    Scan(input, unpacker);
                }
                finally
                {
                    Directory.GetFileSystemEntries(directory.Path).ShouldBe([target]);
                    Directory.EnumerateFileSystemEntries(target, "*", SearchOption.AllDirectories).Select(path => new FileInfo(path).LinkTarget).ShouldAllBe(link => link == null);
                    Directory.Delete(target, recursive: true);
                }
            },
            refusal => refusal is InvalidDataException or IOException or UnauthorizedAccessException).Run(400);
    }

    [Fact]
    public void Manifests_of_the_server()
    {
        string[] samples =
        [
            """
            { "PostgreSQL-Backup-Manifest-Version": 1,
            "Files": [
            { "Path": "PG_VERSION", "Size": 3, "Last-Modified": "2026-11-23 02:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "00112233" },
            { "Encoded-Path": "62617365", "Size": 8192, "Last-Modified": "2026-11-23 02:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "00112233" }
            ],
            "WAL-Ranges": [
            { "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }
            ],
            "Manifest-Checksum": "0000000000000000000000000000000000000000000000000000000000000000"}

            """,
        ];
        var mutator = new ByteMutator([.. samples.Select(Encoding.UTF8.GetBytes)], [.. new[] { "[", "{\"a\":", "\"Files\": [", "\"\\ud800\"", "\n", "{ \"Path\": \"x\", " }.Select(Encoding.UTF8.GetBytes)]);
        var json = new JsonMutator(samples);
        new Fuzzer("the server's manifest", random => random.Next(3) == 0 ? json.Next(random) : mutator.Next(random), ReadManifest, refusal => refusal is InvalidDataException) { BytesPerByte = 100 }.Run(1000);
    }

    [Fact]
    public void Files_that_come_in_blocks()
    {
        var mutator = new ByteMutator([IncrementalFileTests.File(6, [0, 2, 3]), IncrementalFileTests.File(4, [])], [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0x80], [1, 0, 0, 0]]);
        new Fuzzer("a file in blocks", mutator.Next, ReadBlocks, refusal => refusal is InvalidDataException) { BytesPerByte = 40 }.Run(2000);
    }

    private static void ReadBlocks(FuzzInput input)
    {
        var pieces = input.Pieces().ToList();
        var part = new IncrementalFile(pieces.Sum(piece => piece.Length), 8192);
        foreach (var piece in pieces)
        {
            part.Feed(piece.Span, () => part.TruncatedBytes.ShouldBeInRange(0, part.WholeBytes), (offset, bytes) => (offset + bytes.Length).ShouldBeInRange(1, part.WholeBytes));
        }
    }

    private static void ReadManifest(FuzzInput input)
    {
        using var manifest = new ServerManifest();
        foreach (var piece in input.Pieces())
        {
            manifest.Feed(piece.Span);
        }

        manifest.Complete();
    }

    private static void Scan(FuzzInput input, ITarVisitor visitor)
    {
        var scanner = new TarScanner(visitor);
        foreach (var piece in input.Pieces())
        {
            scanner.Feed(piece.Span);
        }

        scanner.RequireComplete();
    }

    /// <summary>Most with checksums that fit, or nothing behind a header would ever be looked at.</summary>
    private static byte[] NextArchive(Random random)
    {
        var archive = Archives.Next(random);
        for (var at = 0; random.Next(8) != 0 && at + 512 <= archive.Length; at += 512)
        {
            var header = archive.AsSpan(at, 512);
            if (header.Slice(257, 5).SequenceEqual("ustar"u8))
            {
                header.Slice(148, 8).Fill((byte)' ');
                var sum = 0;
                foreach (var one in header)
                {
                    sum += one;
                }

                TarBuilder.Octal(archive, at + 148, 8, sum);
            }
        }

        return archive;
    }

    private sealed class Places(string root) : ITarVisitor
    {
        private long left;

        public void Begin(TarEntry entry)
        {
            Path.GetFullPath(Path.Combine(root, entry.Name)).ShouldStartWith(root + "/");
            entry.Bytes.ShouldBeGreaterThanOrEqualTo(0);
            left = entry.Bytes;
        }

        public void Content(ReadOnlySpan<byte> bytes) => left -= bytes.Length;

        public void End() => left.ShouldBe(0);
    }
}
