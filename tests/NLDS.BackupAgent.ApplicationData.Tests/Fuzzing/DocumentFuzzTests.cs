using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Cache;
using NLDS.BackupAgent.ApplicationData.Tables;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.ApplicationData.Tests.Fuzzing;

/// <summary>Archives, documents, rows and cache values as a hostile store or server makes them: read, or refused as damage.</summary>
public sealed class DocumentFuzzTests
{
    private const string Document = """{"timestamp": "x", "row_count": 2, "rows": [{"id": 1, "name": "a\tb", "tags": ["x", null, ["y"]], "data": {"k": [1, 2]}, "at": "2026-11-23T02:00:00.500000+00:00", "ok": true}, {"id": 2, "name": null, "tags": [], "data": null, "at": null, "ok": false, "_json_texts": {"data": " null"}}]}""";

    private const string CacheEntries = """{"timestamp": "x", "cache_entries": {"nlds:cache:a": {"type": "string", "value": "v", "dump": "AAFhCgAAAAAAAAAAAA==", "pttl": 5, "expires_at": 1700000000000}, "b": {"key": "YgA=", "dump": "AAFh"}}}""";

    private static readonly byte[][] Words =
        [.. new[] { "[", "{\"", "\"rows\": [", "\"\\ud800\"", "{", "\\", "\t", "\\N", "\"", "NULL", "{\"a\":", "}" }.Select(Encoding.UTF8.GetBytes), [0xc3, 0x80, 0xff, 0xff, 0xff, 0xff], [0x81, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]];

    private static readonly ArchivedSet Set = new()
    {
        Name = "t",
        Count = 2,
        Table = "t",
        RowsName = "rows",
        CountName = "row_count",
        Files = [new ArchivedFile("t.json", Encoding.UTF8.GetByteCount(Document), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Document))), 2)],
        Columns =
        [
            new ArchivedColumn("id", "integer", ValueShape.Number), new ArchivedColumn("name", "text", ValueShape.Text), new ArchivedColumn("tags", "text[]", ValueShape.TextArray),
            new ArchivedColumn("data", "jsonb", ValueShape.Json), new ArchivedColumn("at", "timestamptz", ValueShape.TimestampWithZone), new ArchivedColumn("ok", "boolean", ValueShape.Boolean),
        ],
    };

    private static readonly BackupId Id = BackupId.At(new DateTimeOffset(2026, 11, 23, 2, 0, 0, TimeSpan.Zero));

    private static readonly ArchiveManifest Manifest = new()
    {
        BackupId = ArchiveDetails.FolderOf(Id), Timestamp = "x", Version = ArchiveManifest.CurrentVersion, BackupType = "application_data", Files = ["t.json"],
        RetentionPolicy = new(30, 12, 12), DataSets = [Set], Omissions = [], Abandoned = [],
    };

    [Fact]
    public void Archives_hold_what_their_manifest_names_or_are_refused()
    {
        byte[] archive =
        [
            .. TarHeader.Write($"{Manifest.BackupId}/t.json", Document.Length, DateTimeOffset.UnixEpoch), .. Encoding.UTF8.GetBytes(Document), .. new byte[-Document.Length & 511],
            .. TarHeader.Write($"{Manifest.BackupId}/manifest.json", ArchiveDetails.Bytes(Manifest).Length, DateTimeOffset.UnixEpoch), .. ArchiveDetails.Bytes(Manifest),
            .. new byte[-ArchiveDetails.Bytes(Manifest).Length & 511], .. new byte[1024],
        ];
        var mutator = new ByteMutator([archive], [.. Words, Encoding.ASCII.GetBytes("77777777777\0"), Encoding.ASCII.GetBytes("../"), new byte[512]]);
        new Fuzzer("an archive", mutator.Next, Scan, IsDamage) { BaseBytes = 40 << 20 }.Run(700);

        static void Scan(FuzzInput input)
        {
            var given = new List<string>();
            var scanner = new ArchiveScanner(Manifest, (file, bytes) => given.Add(Convert.ToHexStringLower(SHA256.HashData(bytes)) == file.Sha256 ? file.Name : "other"));
            foreach (var piece in input.Pieces())
            {
                scanner.Feed(piece.Span);
            }

            scanner.Complete();
            given.ShouldBe(["t.json"]);
        }
    }

    [Fact]
    public void Manifests_that_say_what_nobody_wrote()
    {
        var mutator = new JsonMutator([Encoding.UTF8.GetString(ArchiveDetails.Bytes(Manifest))]);
        new Fuzzer(
            "a manifest",
            mutator.Next,
            input =>
            {
                if (input.Bytes.Length == 0)
                {
                    return;
                }

                JsonLists.RequireNoNulls(input.Bytes);
                using var details = JsonDocument.Parse(input.Bytes);
                var read = ArchiveDetails.Read(Sealed(details.RootElement));
                _ = new ArchiveScanner(read, (_, _) => { });
                foreach (var set in read.DataSets.Where(set => !set.IsCache))
                {
                    new TableDocument(set).Count(Encoding.UTF8.GetBytes(Document));
                }
            },
            refusal => IsDamage(refusal) || refusal is JsonException).Run(700);
    }

    [Fact]
    public void Documents_of_rows()
    {
        var bytes = new ByteMutator([Encoding.UTF8.GetBytes(Document)], Words);
        var json = new JsonMutator([Document]);
        new Fuzzer(
            "a document of rows",
            random => random.Next(3) == 0 ? json.Next(random) : bytes.Next(random),
            input => new TableDocument(Set).Write(input.Bytes, new ArrayBufferWriter<byte>()),
            IsDamage).Run(1000);
    }

    [Fact]
    public void Documents_of_the_cache()
    {
        var bytes = new ByteMutator([Encoding.UTF8.GetBytes(CacheEntries)], Words);
        var json = new JsonMutator([CacheEntries]);
        new Fuzzer(
            "a document of the cache",
            random => random.Next(3) == 0 ? json.Next(random) : bytes.Next(random),
            input =>
            {
                foreach (var key in CacheDocument.Read(input.Bytes))
                {
                    key.Name.ShouldNotBeNull();
                    RdbString.TryRead(key.Payload);
                    RdbString.TypeName(key.Payload);
                }
            },
            IsDamage).Run(1000);
    }

    [Fact]
    public void Values_of_the_cache()
    {
        byte[] footer = new byte[10];
        byte[][] samples = [[0, 1, (byte)'a', .. footer], [0, 0xc0, 7, .. footer], [0, 0xc3, 9, 20, 1, (byte)'a', (byte)'b', 0xe0, 9, 1, 0, 0, 0, .. footer], [0, 0x80, 0, 0, 0, 1, (byte)'x', .. footer]];
        new Fuzzer("a value of the cache", new ByteMutator(samples, Words).Next, input => RdbString.TryRead(input.Bytes), _ => false).Run(1000);
    }

    [Fact]
    public void Rows_of_a_server()
    {
        string[] samples = ["1\ta\\tb\t{x,NULL,{\"y \\\\\" z\"}}\t{\"k\": 1}\t2026-11-23 02:00:00.5+00\tt", "\\N\t\\N\t\\N\t\\N\t\\N\t\\N", "NaN\t\t{}\t null\tinfinity\tf"];
        var mutator = new ByteMutator([.. samples.Select(Encoding.UTF8.GetBytes)], Words);
        new Fuzzer("a row", mutator.Next, input => new CopyRow(Set.Columns).Write(input.Bytes, new ArrayBufferWriter<byte>()), IsDamage).Run(1000);
    }

    [Fact]
    public void Answers_of_a_cache()
    {
        var mutator = new ByteMutator(
            [.. new[] { "+OK\r\n:-12\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n$1\r\nx\r\n:1\r\n*-1\r\n", "-NOPERM no\r\n", "*2\r\n*1\r\n+a\r\n$3\r\nabc\r\n" }.Select(Encoding.ASCII.GetBytes)],
            [.. new[] { "*1\r\n", "$16777216\r\n", "*1048576\r\n", "+" }.Select(Encoding.ASCII.GetBytes)]);
        new Fuzzer(
            "an answer",
            mutator.Next,
            input =>
            {
                var connection = CacheConnection.Over(input.Open(), "hostile", TimeProvider.System);
                while (true)
                {
                    connection.ReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
                }
            },
            CacheConnection.IsExpected).Run(700);
    }

    private static bool IsDamage(Exception refusal) => refusal is InvalidDataException or NotRestorableException;

    private static SealedBackup Sealed(JsonElement details) => new(Id, new BackupManifest
    {
        Format = 1, Source = ArchiveDetails.Source, Id = Id.ToString(), Began = Id.Began, Ended = Id.Began, Agent = "test", Details = details,
        Objects = [new BackupObject { Name = ArchiveDetails.ObjectName, Key = "a", Codec = "gzip", ContentBytes = 1, StoredBytes = 1, StoredSha256 = "" }],
    });
}
