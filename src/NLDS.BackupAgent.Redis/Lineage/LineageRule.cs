namespace NLDS.BackupAgent.Redis.Lineage;

/// <summary>Whether a server is the one that an archive goes on with. Pure; the README has the rule in words.</summary>
internal static class LineageRule
{
    /// <param name="last">The servers of the archive's last history, the newest last.</param>
    /// <param name="successions">Restores that were made to take the original's place.</param>
    /// <param name="instance">The agent's.</param>
    public static RightToWrite Judge(ServerLineage server, ArchiveEnd archive, IReadOnlyList<KnownServer> last, IReadOnlyList<Succession> successions, string instance)
    {
        var newest = last.Count > 0 ? last[^1] : null;
        if (archive.IsEmpty)
        {
            return RightToWrite.First;
        }

        if (server.Continues(newest is null ? archive.ReplicationId : newest.ReplicationId) || (server.RunId is not null && server.RunId == newest?.RunId))
        {
            return RightToWrite.SameHistory;
        }

        // A server that was let in once as the one of this restore keeps that mark over its restarts.
        var own = successions.FirstOrDefault(s => s.RestoreId == server.RestoreId);
        if (own is not null && own.RestoreId != newest?.RestoreId)
        {
            return own.Archive == archive ? RightToWrite.Successor : RightToWrite.Overtaken;
        }

        if (newest is null)
        {
            return server.IsRestored ? RightToWrite.None : RightToWrite.Unrecorded;
        }

        if ((!server.IsRestored || newest.IsRestored) && last.Any(known => known.Place.IsSame(server.Place)))
        {
            return RightToWrite.SamePlace;
        }

        // Its mark is not to be seen with appendonly no.
        return !server.IsRestored && successions.Any(s => s.By == instance && s.Archive == archive) ? RightToWrite.Successor : RightToWrite.None;
    }
}
