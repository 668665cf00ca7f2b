using NpgsqlTypes;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>One transaction of a writer, as the writer knows it.</summary>
/// <param name="Epoch">Which life of the cluster it was written in: after a fork the same numbers are used again, and must not be taken for the old ones.</param>
/// <param name="Before">The log's end before it began: its commit lies behind.</param>
internal sealed record Transfer(int Epoch, NpgsqlLogSequenceNumber Before)
{
    /// <summary>The log's end after the server had answered: its commit lies before. Null while there is no answer.</summary>
    public NpgsqlLogSequenceNumber? After { get; init; }

    /// <summary>The commit's own time, by which recovery to a time decides.</summary>
    public DateTimeOffset? Committed { get; init; }

    /// <summary>When the answer had come.</summary>
    public DateTimeOffset? Answered { get; init; }
}
