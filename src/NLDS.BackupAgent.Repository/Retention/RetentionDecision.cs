using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>What has to be known of a sealed backup to say whether it is kept.</summary>
/// <param name="Id">Names the second in which it began, which is the time that counts.</param>
/// <param name="Ended">From here on, moments can be restored from it.</param>
public sealed record RetentionCandidate(BackupId Id, DateTimeOffset Ended)
{
    /// <summary>The backup without which this one cannot be restored; null when it stands by itself.</summary>
    public BackupId? Parent { get; init; }

    /// <summary>It, and each backup that it builds upon, was read back and found sound.</summary>
    public bool IsVerified { get; init; }

    /// <summary>Why somebody holds it; null when nobody does.</summary>
    public string? Hold { get; init; }
}

/// <summary>Whether a backup is kept, and why.</summary>
/// <param name="Id">The backup.</param>
/// <param name="KeptBecause">All reasons to keep it, in words: <c>newest</c>, <c>daily 2026-11-23</c>, <c>weekly 2026-W47</c>, <c>held: …</c>. Empty when it goes.</param>
/// <param name="GoesBecause">Why nothing keeps it; null when it is kept.</param>
public sealed record RetentionDecision(BackupId Id, IReadOnlyList<string> KeptBecause, string? GoesBecause)
{
    public bool IsKept => KeptBecause.Count > 0;
}
