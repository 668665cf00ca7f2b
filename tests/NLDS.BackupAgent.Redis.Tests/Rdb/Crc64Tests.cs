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
        var bytes = new byte[1000];
        new Random(1).NextBytes(bytes);
        var whole = Crc64.Append(0, bytes);
        for (var cut = 0; cut <= bytes.Length; cut += 7)
        {
            Crc64.Append(Crc64.Append(0, bytes.AsSpan(0, cut)), bytes.AsSpan(cut)).ShouldBe(whole);
        }
    }
}
