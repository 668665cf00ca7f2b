namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>One archive of a base backup. The data directory itself has neither oid nor location and comes last.</summary>
/// <param name="Oid">The tablespace's, or null for the data directory.</param>
/// <param name="Location">Where it lies on the server, or null for the data directory.</param>
/// <param name="SizeKb">The server's estimate.</param>
internal sealed record BackupTablespace(string? Oid, string? Location, long? SizeKb)
{
    public string ArchiveName => $"{Oid ?? "base"}.tar";
}
