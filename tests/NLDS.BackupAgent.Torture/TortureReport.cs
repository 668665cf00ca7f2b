namespace NLDS.BackupAgent.Torture;

/// <summary>What a run did, counted, and what it found.</summary>
internal sealed class TortureReport(string what, int seed)
{
    private readonly SortedDictionary<string, long> counts = new(StringComparer.Ordinal);

    /// <summary>Null when everything held.</summary>
    public string? Failure { get; set; }

    public long this[string count] => counts.GetValueOrDefault(count);

    public void Count(string count, long by = 1) => counts[count] = this[count] + by;

    public override string ToString() =>
        $"{what}, seed {seed}: {(Failure is null ? "nothing lost, nothing invented" : $"FAILED: {Failure}")}\n"
        + string.Concat(counts.Select(c => $"  {c.Value,9}  {c.Key}\n"));
}

/// <summary>Something that must hold did not.</summary>
internal sealed class TortureException(string message, Exception? cause = null) : Exception(message, cause);
