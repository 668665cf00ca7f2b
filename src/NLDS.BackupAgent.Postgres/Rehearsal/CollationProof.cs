using Npgsql;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>A text index is sorted by the rules of the C library or ICU that built it; under other rules searches in it fail silently.</summary>
/// <param name="open">A connection to a database.</param>
internal sealed class CollationProof(Func<string, CancellationToken, Task<NpgsqlConnection>> open)
{
    private const string OfDatabases =
        "SELECT 'database ' || datname || ' (' || datcollversion || ', here ' || pg_database_collation_actual_version(oid) || ')' FROM pg_database "
        + "WHERE datcollversion <> pg_database_collation_actual_version(oid)";

    private const string OfOneDatabase =
        "SELECT 'collation ' || collname || ' of ' || current_database() || ' (' || collversion || ', here ' || pg_collation_actual_version(oid) || ')' FROM pg_collation "
        + "WHERE collversion <> pg_collation_actual_version(oid) AND oid IN (SELECT refobjid FROM pg_depend WHERE refclassid = 'pg_collation'::regclass)";

    public async Task<RehearsalProof> ProveAsync(NpgsqlConnection connection, IReadOnlyList<string> databases, CancellationToken cancellationToken)
    {
        List<string> different = [];
        if (connection.PostgreSqlVersion.Major >= 15)
        {
            different.AddRange(await connection.ListAsync(OfDatabases, cancellationToken));
        }

        foreach (var database in databases)
        {
            await using var inside = await open(database, cancellationToken);
            different.AddRange(await inside.ListAsync(OfOneDatabase, cancellationToken));
        }

        return different.Count == 0
            ? new RehearsalProof("collation versions", ProofVerdict.Proven, "Sorting is the same here as where the data come from.")
            : new RehearsalProof(
                "collation versions",
                ProofVerdict.Finding,
                $"Sorting differs on this machine: {string.Join(", ", different.Take(4))}{(different.Count > 4 ? $" and {different.Count - 4} more" : "")}. "
                + "After a restore to a machine like this one, REINDEX the indexes on text, and ALTER … REFRESH VERSION.");
    }
}
