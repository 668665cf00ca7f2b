using BenchmarkDotNet.Attributes;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Telemetry;

namespace NLDS.BackupAgent.Benchmarks;

/// <summary>What grows with the repository and with the number of series.</summary>
[MemoryDiagnoser]
public class CatalogBenchmarks
{
    private const ulong SegmentBytes = 16 << 20;
    private readonly KeyValuePair<string, string>[] labels = [new("source", "postgres"), new("backup_job", "postgres-full")];
    private List<LogPiece> pieces = [];

    [Params(1_000, 100_000)]
    public int Pieces { get; set; }

    [GlobalSetup]
    public void Make() => pieces =
    [
        .. Enumerable.Range(0, Pieces).Select(number => new LogPiece(
            new ObjectKey($"postgres/wal/{number:X24}.zst"), "00000001", new LogRange((ulong)number * SegmentBytes, (ulong)(number + 1) * SegmentBytes), Codec.Zstd, 1000, IsSegment: true)),
    ];

    [Benchmark]
    public LogCover Cover() => LogCover.Find(pieces, "00000001", 0);

    [Benchmark]
    public string PrometheusOf200Series()
    {
        var text = new PrometheusText();
        text.Family("backup_last_success_timestamp", "gauge", "When the newest backup ended.");
        for (var series = 0; series < 200; series++)
        {
            text.Sample("backup_last_success_timestamp", labels, 1_790_000_000.25 + series);
        }

        return text.ToString();
    }
}
