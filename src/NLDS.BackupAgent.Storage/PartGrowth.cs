namespace NLDS.BackupAgent.Storage;

/// <summary>
/// How long the parts of an object of unknown length are. A part is whole in memory until the store has it, because a try that failed needs its bytes again and
/// nobody else has them; and an object has 10,000 parts. So the part size doubles after every 2,000 parts, and small objects are written with small buffers.
/// </summary>
/// <remarks>
/// With first parts of 5 MiB, two at once, the buffers of one object take 15 MiB until it has 9.8 GiB stored, 30 until 29 GiB, 60 until 68 GiB, 80 until 146 GiB,
/// 160 until 302 GiB; then it is refused. Everything scales with the first parts: 20 MiB reach 1.2 TiB, with 640 MiB of buffers at its end.
/// </remarks>
/// <param name="FirstBytes">Length of the first parts.</param>
/// <param name="FirstParallel">How many of them may be on their way at once.</param>
internal readonly record struct PartGrowth(int FirstBytes, int FirstParallel)
{
    private const int PartsPerSize = 2_000;
    private const int LastDoubling = (ObjectWriter.MaximumParts / PartsPerSize) - 1;

    /// <summary>Far below S3's 5 GiB; beyond it the memory of no pod would do.</summary>
    private const int LargestBytes = 1 << 30;

    /// <summary>What may be on its way at once, unless more of the first parts were asked for: as parts grow fewer go together, and memory doubles later.</summary>
    private const int BytesOnTheWay = 64 << 20;

    /// <summary>What all parts hold.</summary>
    public long LargestObject
    {
        get
        {
            long sum = 0;
            for (var number = 1; number <= ObjectWriter.MaximumParts; number += PartsPerSize)
            {
                sum += (long)PartsPerSize * BytesOf(number);
            }

            return sum;
        }
    }

    /// <param name="number">From 1.</param>
    public int BytesOf(int number) => (int)Math.Min((long)FirstBytes << Math.Min((number - 1) / PartsPerSize, LastDoubling), LargestBytes);

    /// <summary>How many parts may be on their way when this one is; always one.</summary>
    public int ParallelAt(int number) =>
        (int)Math.Clamp(Math.Max(BytesOnTheWay, (long)FirstBytes * FirstParallel) / BytesOf(number), 1, FirstParallel);
}
