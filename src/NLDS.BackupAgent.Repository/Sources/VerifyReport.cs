namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>What to read back: every backup and the log, the newest backup and the log it needs, or one backup by its id.</summary>
public sealed record VerifyScope(string? BackupId)
{
    public static VerifyScope All { get; } = new("all");

    public static VerifyScope Latest { get; } = new("latest");
}

/// <summary>What was read back and what is wrong with it.</summary>
public sealed record VerifyReport(string Source, int ObjectsRead, long StoredBytes, long ContentBytes, IReadOnlyList<DamageFinding> Damage);

/// <summary>One damaged or missing thing.</summary>
/// <param name="Subject">The object's key, or the range of the log that is missing.</param>
/// <param name="What">What is wrong with it.</param>
/// <param name="Cost">What can no longer be restored because of it.</param>
public sealed record DamageFinding(string Subject, string What, string Cost);
