using System.Buffers.Binary;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Rdb;

public sealed class RdbScannerTests
{
    internal static readonly Task<byte[]> Recorded = RecordAsync();

    [Fact]
    public async Task Keys_expiries_and_functions_are_counted_whatever_pieces_the_file_comes_in()
    {
        var file = await Recorded;
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (var largest in new[] { 1, 3, 100, file.Length })
        {
            var scanner = new RdbScanner();
            for (var at = 0; at < file.Length;)
            {
                scanner.IsComplete.ShouldBeFalse($"seed {seed}");
                var count = Math.Min(1 + random.Next(largest), file.Length - at);
                scanner.Feed(file.AsSpan(at, count));
                at += count;
            }

            var summary = scanner.Complete();
            summary.Version.ShouldBe(10);
            summary.Databases!.Keys.ShouldBe([0, 7]);
            summary.Databases[0].Expiring.ShouldBe(1);
            summary.Databases[7].Keys.ShouldBe(1);
            summary.Functions.ShouldBe(1);
            summary.Fields["redis-ver"].ShouldStartWith("7.");
            summary.Fields["redis-bits"].ShouldBe("64");
            long.Parse(summary.Fields["ctime"]).ShouldBeGreaterThan(1_700_000_000);
        }
    }

    [Fact]
    public async Task Every_flipped_bit_and_every_missing_end_is_found()
    {
        var file = await Recorded;
        for (var at = 0; at < file.Length; at += 1 + (file.Length / 3000))
        {
            var damaged = (byte[])file.Clone();
            damaged[at] ^= (byte)(1 << (at % 8));

            // Eight zeros for a checksum mean that there is none; one flipped bit does not make them.
            Should.Throw<InvalidDataException>(() => Scan(damaged), $"byte {at}");
            Should.Throw<InvalidDataException>(() => Scan(file.AsSpan(0, at).ToArray()), $"cut at {at}");
        }
    }

    [Fact]
    public void Noise_neither_hangs_nor_grows_nor_crashes()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var noise = new byte[random.Next(400)];
            random.NextBytes(noise);
            byte[] file = [.. "REDIS0010"u8, .. noise];
            var before = GC.GetAllocatedBytesForCurrentThread();
            Should.Throw<InvalidDataException>(() => Scan(file), $"seed {seed}, round {round}");
            (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(2 << 20, $"seed {seed}, round {round}");
        }
    }

    [Fact]
    public void Of_a_newer_version_the_checksum_alone_is_looked_at()
    {
        byte[] body = [.. "REDIS0099"u8, 0xfe, 0x00, 243, 1, 2, 3, 4, 0xff];
        var file = WithChecksum(body);

        var summary = Scan(file);

        (summary.Version, summary.Databases).ShouldBe((99, null));
        file[12] ^= 1;
        Should.Throw<InvalidDataException>(() => Scan(file)).Message.ShouldContain("checksum");
    }

    [Fact]
    public void A_file_without_checksum_is_said_to_have_none() =>
        Scan([.. "REDIS0010"u8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]).IsChecksummed.ShouldBeFalse();

    [Fact]
    public void What_is_no_RDB_file_is_named() =>
        Should.Throw<InvalidDataException>(() => Scan("HTTP/1.1 400 Bad Request"u8.ToArray())).Message.ShouldContain("does not begin as an RDB file");

    private static RdbSummary Scan(byte[] file)
    {
        var scanner = new RdbScanner();
        scanner.Feed(file);
        return scanner.Complete();
    }

    private static byte[] WithChecksum(byte[] body)
    {
        var trailer = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(trailer, Crc64.Append(0, body));
        return [.. body, .. trailer];
    }

    private static async Task<byte[]> RecordAsync()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "all");
        await client.DoAsync("SAVE");
        return await File.ReadAllBytesAsync(Path.Combine(server.Directory, "dump.rdb"));
    }
}
