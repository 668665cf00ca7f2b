namespace NLDS.BackupAgent.Storage.Resilience;

/// <summary>One call to the store, as its log lines, its figures and its time-outs see it.</summary>
/// <param name="Operation">The label of the metrics: put, replace, get, …</param>
/// <param name="Subject">What it is about, for messages.</param>
/// <param name="Bytes">The payload, which a try needs time for.</param>
internal sealed record StoreCall(string Operation, string Subject, long Bytes)
{
    /// <summary>The slowest line that is still worth using; a part of 8 MiB then has half a minute more.</summary>
    private const int SlowestBytesPerSecond = 256 << 10;

    public TimeSpan TimeForBytes => TimeSpan.FromSeconds(Bytes / (double)SlowestBytesPerSecond);

    /// <summary>False for the reads of a body that is open already; the opening was the request.</summary>
    public bool IsRequest { get; init; } = true;

    /// <summary>Why the newest try failed, for the message when the budget ends.</summary>
    public Exception? LastFailure { get; set; }
}
