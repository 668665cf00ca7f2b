using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Benchmarks;

/// <summary>A megabyte of rows on its way through what every byte of a backup passes.</summary>
[MemoryDiagnoser]
public class ContentBenchmarks : ITarVisitor
{
    private const int Bytes = 1 << 20;
    private readonly ArrayBufferWriter<byte> stored = new(Bytes + 4096);
    private byte[] content = [];
    private byte[] tar = [];
    private ContentEncoder encoder = null!;
    private long seen;

    [GlobalSetup]
    public void Make()
    {
        var random = new Random(7);
        var rows = new StringBuilder(Bytes + 100);
        while (rows.Length < Bytes)
        {
            rows.Append(CultureInfo.InvariantCulture, $"{random.Next(5000):d6}\tcustomer {random.Next(200)}\t{random.NextDouble():f6}\t{random.Next():x8}\n");
        }

        content = Encoding.ASCII.GetBytes(rows.ToString(0, Bytes));
        encoder = ContentEncoder.Create(Codec.Zstd, level: 3, workers: 0);
        tar = [.. Header("base/1/1", Bytes), .. content, .. new byte[1024]];
    }

    [GlobalCleanup]
    public void End() => encoder.Dispose();

    [Benchmark]
    public int Compress() => Frame(hurried: false);

    [Benchmark]
    public int CompressHurried() => Frame(hurried: true);

    [Benchmark]
    public byte[] Sha256() => SHA256.HashData(content);

    [Benchmark]
    public uint Crc32() => Crc32C.Compute(content);

    [Benchmark]
    public long Tar()
    {
        new TarScanner(this).Feed(tar);
        return seen;
    }

    void ITarVisitor.Begin(TarEntry entry)
    {
    }

    void ITarVisitor.Content(ReadOnlySpan<byte> bytes) => seen += bytes.Length;

    void ITarVisitor.End()
    {
    }

    private int Frame(bool hurried)
    {
        stored.ResetWrittenCount();
        encoder.WriteFrame(content, hurried, stored);
        return stored.WrittenCount;
    }

    /// <summary>A ustar header of a file (IEEE 1003.1, pax).</summary>
    private static byte[] Header(string name, int bytes)
    {
        var header = new byte[512];
        Encoding.ASCII.GetBytes(name, header);
        Encoding.ASCII.GetBytes("0000600\0" + "0000000\0" + "0000000\0", header.AsSpan(100));
        Encoding.ASCII.GetBytes(Convert.ToString(bytes, 8).PadLeft(11, '0') + "\0" + "00000000000\0" + "        0", header.AsSpan(124));
        Encoding.ASCII.GetBytes("ustar\000", header.AsSpan(257));
        Encoding.ASCII.GetBytes(Convert.ToString(header.Sum(value => value), 8).PadLeft(6, '0') + "\0 ", header.AsSpan(148));
        return header;
    }
}
