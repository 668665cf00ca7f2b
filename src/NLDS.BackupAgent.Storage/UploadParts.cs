namespace NLDS.BackupAgent.Storage;

/// <summary>
/// Which parts an upload has, and that together they are the object: no hole, no overlap, in number order. A store joins parts blindly,
/// so a caller's mistake here would be a damaged backup.
/// </summary>
internal sealed class UploadParts(ObjectKey key)
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<int, Part> parts = [];

    public static void Check(int number, long offset, ReadOnlyMemory<byte> content)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, ObjectWriter.MaximumParts);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfZero(content.Length, nameof(content));
    }

    public void Record(Part part)
    {
        lock (gate)
        {
            parts[part.Number] = part;
        }
    }

    /// <summary>Takes back what was recorded of a part that is being put again, so that a failed second put cannot pass for the first.</summary>
    public void Forget(int number)
    {
        lock (gate)
        {
            parts.Remove(number);
        }
    }

    /// <exception cref="InvalidOperationException">The parts put are not one whole object.</exception>
    public IReadOnlyList<Part> Whole()
    {
        lock (gate)
        {
            long end = 0;
            foreach (var part in parts.Values)
            {
                if (part.Offset != end)
                {
                    throw new InvalidOperationException(
                        $"Part {part.Number} of '{key}' begins at byte {part.Offset}, the parts before it end at byte {end}.");
                }

                end += part.Bytes;
            }

            return end > 0
                ? [.. parts.Values]
                : throw new InvalidOperationException($"The upload of '{key}' has no parts. An empty object is put, not uploaded.");
        }
    }

    /// <param name="Tag">What the store needs to find the part again; empty where it needs nothing.</param>
    internal readonly record struct Part(int Number, long Offset, int Bytes, string Tag);
}
