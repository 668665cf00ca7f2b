using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Postgres.Retention;

/// <summary>Where timelines meet in WAL of which retention has removed a part. Pure.</summary>
internal static class PrunedWal
{
    /// <summary>
    /// Whether everything between the last piece of a parent, which ends at <paramref name="parentEnd"/>, and the first of its child, which begins at
    /// <paramref name="childStart"/>, was removed on purpose. Below <paramref name="childSegment"/>, the child's very first segment, it was the parent's.
    /// </summary>
    public static bool ExplainsJoint(PrunedLog pruned, string parent, string child, ulong childSegment, ulong parentEnd, ulong childStart) =>
        pruned.Explains(parent, parentEnd, Math.Min(childStart, childSegment))
        && pruned.Explains(child, Math.Max(parentEnd, childSegment), childStart);
}
