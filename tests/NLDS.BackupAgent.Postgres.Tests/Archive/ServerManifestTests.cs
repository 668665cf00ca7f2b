using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Postgres.Archive;

namespace NLDS.BackupAgent.Postgres.Tests.Archive;

/// <summary>Against manifests in the server's own layout; real ones of all versions are read by every restore test.</summary>
public sealed class ServerManifestTests
{
    private const string Version = "15\n";

    /// <summary>CRC-32C of "15\n", as the server prints it.</summary>
    private static readonly string VersionChecksum = Checksum(Version);

    [Fact]
    public void The_files_are_those_that_it_lists_however_it_is_cut()
    {
        var manifest = Manifest(1, Entry("PG_VERSION"), Entry("base/1/\\u00e9"), $"{{ \"Encoded-Path\": \"{Convert.ToHexStringLower("base/2/\u00e9"u8)}\", {Rest} }}");
        var expected = new FileDigest();
        foreach (var name in (string[])["PG_VERSION", "base/1/\u00e9", "base/2/\u00e9"])
        {
            expected.Add(name, 3, Crc(Version));
        }

        foreach (var piece in (int[])[1, 3, 64, 100_000])
        {
            Read(manifest, piece).Equals(expected).ShouldBeTrue($"in pieces of {piece}");
        }
    }

    [Fact]
    public void The_second_version_says_whose_it_is_too() => Read(Manifest(2, Entry("PG_VERSION")), 10).Files.ShouldBe(1);

    [Fact]
    public void Every_manifest_that_is_cut_short_is_refused()
    {
        var manifest = Manifest(1, Entry("PG_VERSION"));

        // Only the line's end may be missing: nothing is said in it.
        for (var length = 0; length < manifest.Length - 1; length++)
        {
            Should.Throw<InvalidDataException>(() => Read(manifest[..length], 50), $"{length} bytes");
        }
    }

    [Fact]
    public void Every_flipped_bit_before_the_checksum_is_noticed()
    {
        var manifest = Manifest(1, Entry("PG_VERSION"));
        var covered = Encoding.UTF8.GetString(manifest).LastIndexOf("\"Manifest-Checksum\"", StringComparison.Ordinal);
        for (var bit = 0; bit < covered * 8; bit++)
        {
            var flipped = manifest.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));

            Should.Throw<InvalidDataException>(() => Read(flipped, 50), $"bit {bit}");
        }
    }

    [Fact]
    public void A_file_without_the_checksum_that_was_asked_for_is_refused() =>
        Should.Throw<InvalidDataException>(() => Read(Manifest(1, "{ \"Path\": \"PG_VERSION\", \"Size\": 3, \"Last-Modified\": \"2026-11-23 12:00:00 GMT\" }"), 50))
            .Message.ShouldContain("PG_VERSION");

    /// <summary>The server writes an entry a line; what is kept of a line until its end would be all of a hostile manifest.</summary>
    [Fact]
    public void A_manifest_in_one_line_is_refused_before_it_fills_the_memory() =>
        Should.Throw<InvalidDataException>(() => Read(Encoding.UTF8.GetBytes("{" + new string(' ', 1 << 20)), 1000)).Message.ShouldContain("too long");

    private static string Rest => $"\"Size\": 3, \"Last-Modified\": \"2026-11-23 12:00:00 GMT\", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"{VersionChecksum}\"";

    private static string Entry(string path) => $"{{ \"Path\": \"{path}\", {Rest} }}";

    private static byte[] Manifest(int version, params string[] files)
    {
        var identity = version == 2 ? "\"System-Identifier\": 7432100000000000000,\n" : "";
        var text = $"{{ \"PostgreSQL-Backup-Manifest-Version\": {version},\n{identity}\"Files\": [\n{string.Join(",\n", files)}\n],\n"
            + "\"WAL-Ranges\": [\n{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\", \"End-LSN\": \"0/2000100\" }\n],\n";
        var checksum = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        return Encoding.UTF8.GetBytes($"{text}\"Manifest-Checksum\": \"{checksum}\"}}\n");
    }

    private static FileDigest Read(byte[] manifest, int piece)
    {
        using var reader = new ServerManifest();
        for (var at = 0; at < manifest.Length; at += piece)
        {
            reader.Feed(manifest.AsSpan(at, Math.Min(piece, manifest.Length - at)));
        }

        reader.Complete();
        return reader.Files;
    }

    /// <summary>Bit by bit, not as the program does it.</summary>
    private static uint Crc(string text)
    {
        var crc = uint.MaxValue;
        foreach (var octet in Encoding.UTF8.GetBytes(text))
        {
            crc ^= octet;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
            }
        }

        return ~crc;
    }

    private static string Checksum(string text) => Convert.ToHexStringLower(BitConverter.GetBytes(Crc(text)));
}
