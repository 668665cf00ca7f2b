using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class SealFrameTests
{
    public static TheoryData<Codec> Codecs => [Codec.Zstd, Codec.Gzip, Codec.None];

    [Theory]
    [MemberData(nameof(Codecs))]
    public void What_was_written_is_read_back_from_the_end_of_an_object(Codec codec)
    {
        var frame = SealFrame.Write(Seal(), codec);
        byte[] end = codec == Codec.None ? frame : [.. LogBench.Random(7, 300), .. frame];

        SealFrame.Read(end, codec, out var bytes).ShouldBe(Seal());
        bytes.ShouldBe(frame.Length);
        frame.Length.ShouldBeLessThan(SealFrame.MaximumBytes);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void Every_single_flipped_bit_is_noticed(Codec codec)
    {
        var frame = SealFrame.Write(Seal(), codec);
        for (var bit = 0; bit < frame.Length * 8; bit++)
        {
            frame[bit / 8] ^= (byte)(1 << (bit % 8));
            SealFrame.Read(frame, codec, out _).ShouldBeNull($"bit {bit}");
            frame[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void A_frame_that_lost_its_beginning_or_end_is_none(Codec codec)
    {
        var frame = SealFrame.Write(Seal(), codec);
        for (var cut = 1; cut <= frame.Length; cut++)
        {
            SealFrame.Read(frame.AsSpan(cut), codec, out _).ShouldBeNull($"without the first {cut}");
            SealFrame.Read(frame.AsSpan(0, frame.Length - cut), codec, out _).ShouldBeNull($"without the last {cut}");
        }
    }

    [Fact]
    public void A_seal_object_with_anything_before_the_seal_is_damaged() =>
        SealFrame.Read([0, .. SealFrame.Write(Seal(), Codec.None)], Codec.None, out _).ShouldBeNull();

    private static LogSeal Seal() => new()
    {
        Lineage = "0123456789abcdef0123456789abcdef01234567",
        Start = 0x1_0000_0000,
        End = ulong.MaxValue,
        HashedFrom = 0x1_0000_0000,
        ContentSha256 = new string('a', 64),
        StoredBytes = long.MaxValue,
        StoredSha256 = new string('b', 64),
        Earliest = FakeObserver.Epoch,
        Latest = FakeObserver.Epoch.AddTicks(1),
        AsOf = FakeObserver.Epoch.AddDays(1),
    };
}
