namespace NLDS.BackupAgent.Torture;

/// <summary>What a run did, counted, and what it found.</summary>
internal sealed class TortureReport(string what, int seed)
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, long> counts = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, (long Begin, long End)> changes = new(StringComparer.Ordinal);

    /// <summary>Null when everything held.</summary>
    public string? Failure { get; set; }

    public long this[string count]
    {
        get
        {
            lock (gate)
            {
                return counts.GetValueOrDefault(count);
            }
        }
    }

    public void Count(string count, long by = 1)
    {
        lock (gate)
        {
            counts[count] = counts.GetValueOrDefault(count) + by;
        }
    }

    /// <summary>The largest of all values.</summary>
    public void AtMost(string count, long value)
    {
        lock (gate)
        {
            counts[count] = Math.Max(counts.GetValueOrDefault(count), value);
        }
    }

    /// <summary>What there was of something at the begin, and at the end.</summary>
    public void FromTo(string what, long begin, long end)
    {
        lock (gate)
        {
            changes[what] = (begin, end);
        }
    }

    public override string ToString()
    {
        lock (gate)
        {
            return $"{what}, seed {seed}: {(Failure is null ? "nothing lost, nothing invented" : $"FAILED: {Failure}")}\n"
                + string.Concat(counts.Select(c => $"  {c.Value,9}  {c.Key}\n"))
                + string.Concat(changes.Select(c => $"  {c.Value.Begin,9}  {c.Key}, at the end {c.Value.End}\n"));
        }
    }
}

/// <summary>Something that must hold did not.</summary>
internal sealed class TortureException(string message, Exception? cause = null) : Exception(message, cause);
