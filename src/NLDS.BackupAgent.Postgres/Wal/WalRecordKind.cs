namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>What a record means to the scanner.</summary>
internal enum WalRecordKind
{
    Other,

    /// <summary>COMMIT and COMMIT PREPARED.</summary>
    Commit,

    /// <summary>ABORT and ABORT PREPARED.</summary>
    Abort,

    RestorePoint,

    /// <summary>The rest of the segment is unused.</summary>
    Switch,

    /// <summary>After a crash: the record before this place was never finished.</summary>
    OverwriteContinuation,
}
