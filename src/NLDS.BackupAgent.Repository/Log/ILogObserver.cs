namespace NLDS.BackupAgent.Repository.Log;

/// <summary>Reads along while a log is written to the archive, and says what only the source can read in it. Called from one thread at a time.</summary>
public interface ILogObserver
{
    /// <summary>The next bytes of the log, without a hole to those before.</summary>
    void Observe(ReadOnlySpan<byte> bytes);

    /// <summary>The event times since the last call.</summary>
    LogTimes TakeTimes();

    /// <summary>The named moments since the last call.</summary>
    IReadOnlyList<LogMark> TakeMarks();
}

/// <summary>The span of event times in a stretch of log; both null when there was no event.</summary>
public readonly record struct LogTimes(DateTimeOffset? Earliest, DateTimeOffset? Latest)
{
    /// <summary>When which part of the stretch arrived, in order; null for a source whose log has times of its own.</summary>
    public IReadOnlyList<LogWindow>? Windows { get; init; }

    public LogTimes Include(DateTimeOffset time) => this with
    {
        Earliest = Earliest is { } earliest && earliest <= time ? earliest : time,
        Latest = Latest is { } latest && latest >= time ? latest : time,
    };

    public LogTimes Include(LogTimes other)
    {
        var both = other.Earliest is { } earliest ? Include(earliest) : this;
        both = other.Latest is { } latest ? both.Include(latest) : both;
        return other.Windows is { } windows ? both with { Windows = [.. both.Windows ?? [], .. windows] } : both;
    }
}
