using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Repository.Tests.Content;

public sealed class Crc32CTests
{
    [Fact]
    public void It_has_the_check_value_of_the_catalogue_of_CRCs() => Crc32C.Compute("123456789"u8).ShouldBe(0xE3069283u);

    [Fact]
    public void It_has_the_test_vectors_of_RFC_3720()
    {
        Crc32C.Compute(new byte[32]).ShouldBe(0x8A9136AAu);
        Crc32C.Compute(Enumerable.Repeat((byte)0xff, 32).ToArray()).ShouldBe(0x62A8AB43u);
        Crc32C.Compute([.. Enumerable.Range(0, 32).Select(i => (byte)i)]).ShouldBe(0x46DD794Eu);
    }

    [Fact]
    public void Long_input_gives_what_it_gives_byte_by_byte()
    {
        var bytes = new byte[20_000];
        new Random(20261123).NextBytes(bytes);
        foreach (var length in (int[])[3071, 3072, 3073, 6143, 6144, 9999, 20_000])
        {
            var one = bytes[..length].Aggregate(uint.MaxValue, (running, b) => Crc32C.Append(running, [b]));
            Crc32C.Append(uint.MaxValue, bytes.AsSpan(0, length)).ShouldBe(one);
        }
    }
}
