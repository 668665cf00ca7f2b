using Npgsql;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

public sealed class WalScannerCrashTests
{
    private const int PageBytes = 8192;

    [Fact]
    public async Task A_record_that_a_crash_cut_off_is_given_up_and_the_log_goes_on()
    {
        await using var server = await ScratchServer.StartAsync(segmentMegabytes: 1);
        ulong end;
        await using (var connection = await server.ConnectAsync())
        {
            await using var big = new NpgsqlCommand(
                "SELECT (pg_logical_emit_message(true, 'test', repeat('x', 300000)) - '0/0')::text::bigint", connection);
            end = (ulong)(long)(await big.ExecuteScalarAsync())!;
        }

        await server.StopAsync("immediate");
        var cut = end - 100_000;
        cut -= cut % PageBytes;
        Zero(server, cut);
        await server.StartAgainAsync();
        await server.BenchAsync("-q", "-i", "-s", "1");
        await server.StopAsync("fast");

        var (start, files) = server.Segments();
        byte[] bytes = [.. files.SelectMany(File.ReadAllBytes)];
        var records = DumpedRecord.Parse(await server.DumpAsync(start), server.SegmentBytes);
        records.ShouldContain(record => record.Start == cut + 24 && record.Description.StartsWith("OVERWRITE_CONTRECORD", StringComparison.Ordinal));

        // From the beginning, and from a segment that begins within the lost record or, where none does, from its page.
        foreach (var from in (ulong[])[start, cut - PageBytes, cut])
        {
            var expected = records.Where(record => record.Start >= from).ToArray();
            var scan = WalScan.Of(bytes.AsSpan((int)(from - start)), from, server.SegmentBytes, verifyChecksums: true, Enumerable.Repeat(5000, bytes.Length));
            scan.Fault.ShouldBeNull();
            scan.State.Records.ShouldBe(expected.Length);
            scan.LastRecordEnd.ShouldBe(expected[^1].End);
            scan.TransactionEnds.SequenceEqual(expected.Where(record => record.IsTransactionEnd).Select(record => record.ToTransactionEnd())).ShouldBeTrue();
        }
    }

    private static void Zero(ScratchServer server, ulong from)
    {
        var (start, files) = server.Segments();
        for (var index = 0; index < files.Length; index++)
        {
            var segment = start + ((ulong)index * server.SegmentBytes);
            var keep = from <= segment ? 0 : Math.Min(server.SegmentBytes, from - segment);
            using var file = File.OpenWrite(files[index]);
            file.Position = (long)keep;
            file.Write(new byte[server.SegmentBytes - keep]);
        }
    }
}
