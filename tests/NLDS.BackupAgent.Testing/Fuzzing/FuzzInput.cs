namespace NLDS.BackupAgent.Testing.Fuzzing;

/// <summary>One input, and how it comes: in pieces that are cut the same way each time.</summary>
public sealed class FuzzInput(byte[] bytes, int seed)
{
    public byte[] Bytes { get; } = bytes;

    /// <summary>For whatever else a target decides by chance.</summary>
    public int Seed { get; } = seed;

    public string Text => System.Text.Encoding.UTF8.GetString(Bytes);

    /// <summary>All of the input, cut anywhere.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Pieces()
    {
        var random = new Random(Seed);
        for (var at = 0; at < Bytes.Length;)
        {
            var count = Math.Min(Bytes.Length - at, 1 + random.Next(random.Next(4) == 0 ? 8 : 4096));
            yield return Bytes.AsMemory(at, count);
            at += count;
        }
    }

    public Stream Open() => new FuzzStream(this);
}
