namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>A backup whose manifest is durable.</summary>
public sealed record SealedBackup(BackupId Id, BackupManifest Manifest)
{
    public long ContentBytes => Manifest.Objects.Sum(o => o.ContentBytes);

    /// <summary>How large the source was: the content, with that of the backups that this one builds upon.</summary>
    public long WholeBytes => Manifest.WholeBytes ?? ContentBytes;

    public long StoredBytes => Manifest.Objects.Sum(o => o.StoredBytes);

    /// <summary>The backup that it builds upon; null when it stands by itself.</summary>
    public string? Parent => Manifest.Parent;

    /// <summary>
    /// When it, and each backup that it builds upon, was last read back whole and found sound; null when one of them never was, or the proof is not of this manifest.
    /// </summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>When the source was last found unchanged since this backup, so that a new one would have been the same; null when it never was.</summary>
    public DateTimeOffset? UnchangedAt { get; init; }

    /// <summary>The newest moment at which the source was known to be what this backup holds.</summary>
    public DateTimeOffset CurrentAt => UnchangedAt > Manifest.Ended ? UnchangedAt.Value : Manifest.Ended;

    /// <summary>What of the source is not in it although it should be, a sentence each. Such a backup is partial, and is shown so everywhere.</summary>
    public IReadOnlyList<string> Omissions => Manifest.Omissions ?? [];

    /// <summary>A hold lies beside it: no policy removes it.</summary>
    public bool IsHeld { get; init; }

    /// <summary>A verification found it damaged, and none has found it sound since.</summary>
    public bool IsKnownDamaged { get; init; }

    /// <summary>What the manifest says of itself; null for a backup that this process has just sealed.</summary>
    internal string? ManifestSha256 { get; init; }
}
