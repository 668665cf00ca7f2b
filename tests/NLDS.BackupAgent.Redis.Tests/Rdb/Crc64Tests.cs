using NLDS.BackupAgent.Redis.Rdb;

namespace NLDS.BackupAgent.Redis.Tests.Rdb;

public sealed class Crc64Tests
{
    [Fact]
    public void The_check_value_is_the_one_that_Redis_tests_itself_with() =>
        Crc64.Append(0, "123456789"u8).ToString("x16").ShouldBe("e9c6d914c4b8d9ca");

    [Fact]
    public void Pieces_of_any_size_give_the_same()
    {
        var bytes = Random(1000);
        var whole = Crc64.Append(0, bytes);
        for (var cut = 0; cut <= bytes.Length; cut += 7)
        {
            Crc64.Append(Crc64.Append(0, bytes.AsSpan(0, cut)), bytes.AsSpan(cut)).ShouldBe(whole);
        }
    }

    [Fact]
    public void By_multiplication_and_by_tables_every_length_gives_the_same()
    {
        var bytes = Random(2048);
        for (var length = 0; length <= bytes.Length; length++)
        {
            var some = bytes.AsSpan(bytes.Length - length);
            Crc64.Append(0xe9c6d914c4b8d9ca, some).ShouldBe(Crc64.AppendByTables(0xe9c6d914c4b8d9ca, some), $"{length} bytes");
        }
    }

    [Fact]
    public void A_long_text_has_the_value_that_one_bit_at_a_time_gives()
    {
        var bytes = Random(100_003);
        ulong crc = 0;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x95ac9329ac4bc9b5 : crc >> 1;
            }
        }

        Crc64.Append(0, bytes).ShouldBe(crc);
    }

    private static byte[] Random(int length)
    {
        var bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        return bytes;
    }
}
