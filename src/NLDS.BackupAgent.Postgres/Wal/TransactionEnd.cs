namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>A transaction's commit or abort, prepared or not, as the log tells it.</summary>
/// <param name="Start">Where the record starts.</param>
/// <param name="End">The end of the record with its padding: what must be durable for the transaction to be.</param>
/// <param name="TimeMicroseconds">The server's clock at the end of the transaction, in microseconds since 2000-01-01 UTC.</param>
/// <param name="IsCommit">False for an abort.</param>
internal readonly record struct TransactionEnd(ulong Start, ulong End, long TimeMicroseconds, bool IsCommit)
{
    public DateTimeOffset Time => PostgresTime.From(TimeMicroseconds);
}
