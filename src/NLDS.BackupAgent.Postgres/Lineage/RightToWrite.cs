namespace NLDS.BackupAgent.Postgres.Lineage;

/// <summary>Why a restored server may go on with the original's archive.</summary>
internal enum RightToWrite
{
    /// <summary>It may not.</summary>
    None,

    /// <summary>It took the original's place, and that is recorded for ever.</summary>
    Adopted,

    /// <summary>The operator says so now.</summary>
    Consent,

    /// <summary>It was restored to take the original's place, and nobody has written since.</summary>
    Successor,

    /// <summary>It was restored to take the original's place, but somebody has written since.</summary>
    Overtaken,
}
