using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

public sealed class WalRecordDataTests
{
    private static readonly byte[] Data = [1, 2, 3, 4, 5, 6, 7, 8];

    [Fact]
    public void Data_is_found_behind_every_combination_of_headers()
    {
        byte[][] before = [[], [253, 9, 9], [252, 9, 9, 9, 9], [253, 9, 9, 252, 9, 9, 9, 9]];
        foreach (var headers in before)
        {
            WalRecordData.Find([.. headers, 255, 8, .. Data], 8).ToArray().ShouldBe(Data);
            WalRecordData.Find([.. headers, 254, 8, 0, 0, 0, .. Data], 8).ToArray().ShouldBe(Data);
        }
    }

    [Fact]
    public void Data_that_is_too_short_or_missing_is_not_found()
    {
        byte[][] bodies =
        [
            [], [255], [255, 8], [255, 7, .. Data], [255, 8, .. Data[1..]], [254, 7, 0, 0, 0, .. Data], [254, 8, 0, 0, 0, .. Data[1..]], [253, 9], [252, 9, 9, 9],
            [0, 255, 8, .. Data], [253, 9, 9, 253, 9, 9, 253, 9, 9, 255, 8, .. Data],
        ];
        foreach (var body in bodies)
        {
            WalRecordData.Find(body, 8).IsEmpty.ShouldBeTrue(Convert.ToHexString(body));
        }
    }

    [Theory]
    [InlineData(0, "2000-01-01T00:00:00.0000000+00:00")]
    [InlineData(-1, "1999-12-31T23:59:59.9999990+00:00")]
    [InlineData(long.MaxValue, "9999-12-31T23:59:59.9999990+00:00")]
    [InlineData(long.MinValue, "0001-01-01T00:00:00.0000000+00:00")]
    public void Times_count_from_the_year_2000_and_never_leave_the_calendar(long microseconds, string time) =>
        new TransactionEnd(0, 0, microseconds, true).Time.ToString("O").ShouldBe(time);

    [Fact]
    public void The_checksum_is_CRC_32C_however_it_is_cut()
    {
        var digits = "123456789"u8;
        for (var cut = 0; cut <= digits.Length; cut++)
        {
            var checksum = default(WalRecordChecksum);
            checksum.Add(digits[..cut]);
            checksum.Add(digits[cut..]);
            checksum.Value.ShouldBe(0xE3069283u);
        }
    }
}
