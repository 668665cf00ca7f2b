namespace NLDS.BackupAgent.Postgres.Protocol;

internal enum BaseBackupEventKind
{
    /// <summary>A tar archive begins; the data up to the next start is its content, complete with the trailer.</summary>
    ArchiveStart,

    /// <summary>The backup manifest begins, after all archives.</summary>
    ManifestStart,

    /// <summary>Bytes of the current archive or manifest.</summary>
    Data,

    /// <summary>How much the server has sent.</summary>
    Progress,

    /// <summary>The backup is complete on the server's side; it needs WAL up to the end position.</summary>
    End,
}
