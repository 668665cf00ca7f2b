using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Benchmarks;

/// <summary>One real segment of 16 MiB: read for its commits, and made durable in memory as it arrives.</summary>
[MemoryDiagnoser]
public class WalBenchmarks
{
    private static readonly WalSegmentSize Size = WalSegmentSize.Parse("16MB");
    private byte[] segment = [];
    private ulong start;

    [Params(128 << 10)]
    public int ReadBytes { get; set; }

    [GlobalSetup]
    public async Task MakeAsync()
    {
        await using var server = await PostgresServer.StartAsync();
        await server.ExecuteAsync("CREATE TABLE rows AS SELECT g, md5(g::text), repeat('nlds ', 8) FROM generate_series(1, 200000) g");
        await server.StopAsync();
        var file = Directory.GetFiles(Path.Combine(server.DataDirectory, "pg_wal"), "0000*").Order(StringComparer.Ordinal).Skip(1).First();
        segment = await File.ReadAllBytesAsync(file);
        WalSegment.TryParse(Path.GetFileName(file), Size, out var named);
        start = named.Start.Value;
    }

    [Benchmark]
    public long Scan()
    {
        var scanner = new WalScanner(start, (uint)Size.Bytes);
        Feed(bytes => scanner.Feed(bytes.Span));
        return scanner.Records;
    }

    [Benchmark]
    public async Task<ulong> Assemble()
    {
        var archive = new LogArchive(new MemoryObjectStore(), "postgres/wal", new WalNaming(Size), Codec.Zstd, level: 3);
        await using var writer = new LogWriter(
            archive, new LogWriterOptions(), WalNaming.Lineage(1), start, [], new WalObserver(new Lsn(start), 1, Size), () => { }, TimeProvider.System, NullLogger.Instance);
        writer.Announce(start + (ulong)segment.Length);
        for (var at = 0; at < segment.Length; at += ReadBytes)
        {
            await writer.AppendAsync(segment.AsMemory(at, Math.Min(ReadBytes, segment.Length - at)), CancellationToken.None);
        }

        await writer.CompleteAsync();
        return writer.DurablePosition;
    }

    private void Feed(Action<ReadOnlyMemory<byte>> take)
    {
        for (var at = 0; at < segment.Length; at += ReadBytes)
        {
            take(segment.AsMemory(at, Math.Min(ReadBytes, segment.Length - at)));
        }
    }
}
