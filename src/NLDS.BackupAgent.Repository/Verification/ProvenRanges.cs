using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>
/// Which stretches of one lineage were read back and when: in order, without overlap. Neighbours of one day are one range, so that a year's log takes a few
/// hundred of them at most. Pure.
/// </summary>
internal sealed class ProvenRanges
{
    private readonly List<ProvenRange> ranges;

    public ProvenRanges(IEnumerable<ProvenRange> ranges) => this.ranges = [.. ranges.OrderBy(r => r.Start)];

    public IReadOnlyList<ProvenRange> Ranges => ranges;

    /// <summary>When all of the range had been read back at the latest, or null when a part of it never was.</summary>
    public DateTimeOffset? VerifiedAt(LogRange range)
    {
        DateTimeOffset? oldest = null;
        var position = range.Start;
        for (var i = FirstEndingAfter(range.Start); i < ranges.Count && ranges[i].Start <= position && position < range.End; i++)
        {
            oldest = oldest < ranges[i].Verified ? oldest : ranges[i].Verified;
            position = ranges[i].End;
        }

        return position >= range.End ? oldest : null;
    }

    public void Add(LogRange range, DateTimeOffset verified)
    {
        Remove(range);
        var index = FirstEndingAfter(range.Start);
        ranges.Insert(index, new ProvenRange(range.Start, range.End, verified));
        JoinWithNext(index);
        if (index > 0)
        {
            JoinWithNext(index - 1);
        }
    }

    /// <summary>Nothing is known of this range any more.</summary>
    public void Remove(LogRange range)
    {
        var index = FirstEndingAfter(range.Start);
        while (index < ranges.Count && ranges[index].Start < range.End)
        {
            var cut = ranges[index];
            ranges.RemoveAt(index);
            if (cut.End > range.End)
            {
                ranges.Insert(index, cut with { Start = range.End });
            }

            if (cut.Start < range.Start)
            {
                ranges.Insert(index++, cut with { End = range.Start });
            }
        }
    }

    private void JoinWithNext(int index)
    {
        if (index + 1 < ranges.Count && ranges[index] is var first && ranges[index + 1] is var second
            && first.End == second.Start && first.Verified.UtcDateTime.Date == second.Verified.UtcDateTime.Date)
        {
            ranges[index] = new ProvenRange(first.Start, second.End, first.Verified < second.Verified ? first.Verified : second.Verified);
            ranges.RemoveAt(index + 1);
        }
    }

    private int FirstEndingAfter(ulong position)
    {
        var (low, high) = (0, ranges.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = ranges[middle].End > position ? (low, middle) : (middle + 1, high);
        }

        return low;
    }
}
