namespace NLDS.BackupAgent.Repository.Content;

/// <summary>How much of an object is proved while it is read.</summary>
public enum ContentProof
{
    /// <summary>
    /// The stored bytes have the manifest's SHA-256, and the content its length. Enough where the reader holds the content against checksums of its own, as a
    /// restore of PostgreSQL does: decompression of proved bytes has one outcome.
    /// </summary>
    Stored,

    /// <summary>The content's SHA-256 too, which also proves the decompressor; for verification.</summary>
    StoredAndContent,
}
