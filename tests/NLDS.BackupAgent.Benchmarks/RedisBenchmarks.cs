using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Rdb;

namespace NLDS.BackupAgent.Benchmarks;

/// <summary>A megabyte of what a Redis sends: its copy, of keys of 64 bytes and of 1000, and its stream of writes of 64 bytes.</summary>
[MemoryDiagnoser]
public class RedisBenchmarks
{
    private const int Bytes = 1 << 20;
    private byte[] smallKeys = [];
    private byte[] largeKeys = [];
    private byte[] commands = [];

    [GlobalSetup]
    public void Make()
    {
        smallKeys = Rdb(64);
        largeKeys = Rdb(1000);
        var text = new StringBuilder();
        while (text.Length < Bytes)
        {
            text.Append(CultureInfo.InvariantCulture, $"*3\r\n$3\r\nSET\r\n$16\r\nkey:{text.Length:d12}\r\n$64\r\n{new string('x', 64)}\r\n");
        }

        commands = Encoding.ASCII.GetBytes(text.ToString());
    }

    [Benchmark]
    public ulong Checksum() => Crc64.Append(0, largeKeys);

    [Benchmark]
    public long CopyOfSmallKeys() => Scan(smallKeys);

    [Benchmark]
    public long CopyOfLargeKeys() => Scan(largeKeys);

    [Benchmark]
    public int Commands()
    {
        var seen = 0;
        var scanner = new CommandScanner(0, _ => seen++);
        scanner.Feed(commands);
        return seen;
    }

    private static long Scan(byte[] rdb)
    {
        var scanner = new RdbScanner();
        scanner.Feed(rdb);
        return scanner.Complete().Databases![0].Keys;
    }

    /// <summary>Strings as rdb.c writes them: type 0, the key, and the value, each behind its length of six or fourteen bits.</summary>
    private static byte[] Rdb(int valueBytes)
    {
        var file = new List<byte>([.. "REDIS0011"u8]);
        while (file.Count < Bytes)
        {
            file.AddRange([0, 16, .. Encoding.ASCII.GetBytes($"key:{file.Count:d12}"), (byte)(0x40 | (valueBytes >> 8)), (byte)valueBytes, .. new byte[valueBytes]]);
        }

        file.Add(0xff);
        var checksum = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(checksum, Crc64.Append(0, [.. file]));
        file.AddRange(checksum);
        return [.. file];
    }
}
