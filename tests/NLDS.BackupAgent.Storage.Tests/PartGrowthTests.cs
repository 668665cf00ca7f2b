namespace NLDS.BackupAgent.Storage.Tests;

public sealed class PartGrowthTests
{
    private const long GiB = 1L << 30;
    private const int MiB = 1 << 20;

    [Theory]
    [InlineData(9.7, 15)]
    [InlineData(29, 30)]
    [InlineData(68, 60)]
    [InlineData(146, 80)]
    [InlineData(302, 160)]
    public void The_buffers_of_an_object_hold_what_the_documentation_says(double gibibytes, int mebibytes) =>
        BuffersUpTo((long)(gibibytes * GiB), new PartGrowth(ObjectWriter.DefaultPartBytes, LimitsOptions.DefaultParallelUploads))
            .ShouldBe(mebibytes * (long)MiB);

    [Fact]
    public void The_largest_object_is_what_the_documentation_says()
    {
        (new PartGrowth(ObjectWriter.DefaultPartBytes, 2).LargestObject / GiB).ShouldBe(302);
        (new PartGrowth(20 * MiB, 2).LargestObject / GiB).ShouldBe(1_210);
        BuffersUpTo(1_210 * GiB, new PartGrowth(20 * MiB, 2)).ShouldBe(640L * MiB);
    }

    [Theory]
    [InlineData(5, 16)]
    [InlineData(1024, 16)]
    [InlineData(1024, 1)]
    public void What_was_asked_for_of_the_first_parts_is_given_and_one_part_always_goes(int mebibytes, int parallel)
    {
        var growth = new PartGrowth(mebibytes * MiB, parallel);
        growth.ParallelAt(1).ShouldBe(parallel);
        for (var number = 1; number <= ObjectWriter.MaximumParts; number++)
        {
            growth.ParallelAt(number).ShouldBeInRange(1, parallel);
            growth.BytesOf(number).ShouldBeInRange(mebibytes * MiB, 1 << 30);
        }
    }

    /// <summary>Those on their way and the one being filled, at the worst moment of writing an object of this size.</summary>
    private static long BuffersUpTo(long bytes, PartGrowth growth)
    {
        long written = 0, most = 0;
        for (var number = 1; written < bytes && number <= ObjectWriter.MaximumParts; number++)
        {
            written += growth.BytesOf(number);
            most = Math.Max(most, (growth.ParallelAt(number) + 1L) * growth.BytesOf(number));
        }

        return most;
    }
}
