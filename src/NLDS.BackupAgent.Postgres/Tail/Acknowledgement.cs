using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>
/// The positions that may be reported to the server. The server checks none of them, so they are checked here: never beyond what was received, never beyond what
/// is durable, never back. While a segment is received again from its start, and until all of it was compared with what the archive holds, there is nothing
/// sound to say, and 0/0 says nothing.
/// </summary>
internal sealed class Acknowledgement(Lsn frontier)
{
    private readonly Lock gate = new();
    private Lsn flushed = frontier;

    /// <summary>What may be reported now.</summary>
    public (Lsn Write, Lsn Flush) Next(Lsn received, Lsn durable)
    {
        lock (gate)
        {
            if (durable > received)
            {
                throw new InvalidOperationException($"WAL up to {durable} counts as durable while only {received} was received. This is a defect.");
            }

            if (durable < flushed)
            {
                return (Lsn.Invalid, Lsn.Invalid);
            }

            flushed = durable;
            return (received, flushed);
        }
    }
}
