namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What kind of WAL sender the server shall start.</summary>
internal enum ReplicationMode
{
    /// <summary><c>replication=true</c>: replication commands only, no database, no SQL.</summary>
    Physical,

    /// <summary><c>replication=database</c>: replication commands, and SQL in one database.</summary>
    Database,
}
