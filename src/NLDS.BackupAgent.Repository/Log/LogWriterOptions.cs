namespace NLDS.BackupAgent.Repository.Log;

/// <summary>When the open tail of a log becomes durable.</summary>
public sealed record LogWriterOptions
{
    /// <summary>The longest that a byte waits before it is on its way.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>This many bytes do not wait for the interval.</summary>
    public long FlushBytes { get; init; } = 1 << 20;

    /// <summary>Nothing waits: whatever has arrived goes up as soon as the chunk before it is durable.</summary>
    public bool Synchronous { get; init; }

    /// <summary>How often an idle log's confirmation is renewed; it bounds how exactly a restore knows that nothing was written.</summary>
    public TimeSpan ConfirmInterval { get; init; } = TimeSpan.FromSeconds(10);
}
