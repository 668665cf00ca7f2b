namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>A place in the log that somebody named with <c>pg_create_restore_point</c>. Names need not be unique.</summary>
/// <param name="Start">Where the record starts.</param>
/// <param name="End">The end of the record with its padding.</param>
/// <param name="TimeMicroseconds">The server's clock, in microseconds since 2000-01-01 UTC.</param>
/// <param name="Name">At most 63 bytes of text in the encoding of the database it was called in; read as UTF-8.</param>
internal readonly record struct RestorePoint(ulong Start, ulong End, long TimeMicroseconds, string Name)
{
    public DateTimeOffset Time => PostgresTime.From(TimeMicroseconds);
}
