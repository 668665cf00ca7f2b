using System.Data;
using Npgsql;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>Every heap and every B-tree by amcheck (PostgreSQL manual, F.2), as long as the time lasts.</summary>
/// <param name="open">A connection to a database.</param>
/// <param name="installs">The server is a copy, in which the extension may be made where it is missing. Nothing is made in a server that is used.</param>
internal sealed class StructureProof(Func<string, CancellationToken, Task<NpgsqlConnection>> open, bool installs)
{
    /// <summary>Lists those that have somebody's data.</summary>
    public const string Databases = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1";

    private const string Relations =
        "SELECT c.oid::text || ' ' || c.relkind::text || ' ' || c.oid::regclass::text FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_am a ON a.oid = c.relam "
        + "WHERE c.relpersistence = 'p' AND ((c.relkind IN ('r', 't', 'm') AND a.amname = 'heap') OR (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid)) ORDER BY pg_relation_size(c.oid)";

    private const string What = "heaps and B-trees";

    private readonly List<string> broken = [];
    private int heaps;
    private int indexes;

    public async Task<RehearsalProof> ProveAsync(IReadOnlyList<string> databases, Func<TimeSpan> left, CancellationToken cancellationToken)
    {
        List<string> unlooked = [];
        foreach (var database in databases)
        {
            if (await LookAsync(database, left, cancellationToken) is { } obstacle)
            {
                unlooked.Add($"{database}: {obstacle}");
            }
        }

        var looked = $"amcheck looked at {heaps} heaps and {indexes} B-trees in {databases.Count} databases";
        return broken.Count > 0 ? new RehearsalProof(What, ProofVerdict.Failed, $"{looked}; {broken.Count} are damaged: {string.Join("; ", broken.Take(3))}.")
            : unlooked.Count > 0 ? new RehearsalProof(What, ProofVerdict.NotLooked, $"{looked}, those sound. {string.Join(" ", unlooked.Take(3))}")
            : new RehearsalProof(What, ProofVerdict.Proven, $"{looked}, all of them sound.");
    }

    /// <returns>Why it cannot be looked; null when it can.</returns>
    private async Task<string?> PrepareAsync(NpgsqlConnection inside, CancellationToken cancellationToken)
    {
        if (installs)
        {
            if (await inside.AskAsync("SELECT name FROM pg_available_extensions WHERE name = 'amcheck'", cancellationToken) is null)
            {
                return "the extension amcheck is not on this machine (postgresql-contrib).";
            }

            await inside.AskAsync("CREATE SCHEMA nlds_drill; CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA nlds_drill", cancellationToken);
            return null;
        }

        return await inside.AskAsync("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'", cancellationToken) is null ? "it does not have the extension amcheck." : null;
    }

    /// <returns>Why not all was looked at; null when it was.</returns>
    private async Task<string?> LookAsync(string database, Func<TimeSpan> left, CancellationToken cancellationToken)
    {
        var inside = await open(database, cancellationToken);
        try
        {
            if (await PrepareAsync(inside, cancellationToken) is { } obstacle)
            {
                return obstacle;
            }

            var schema = await inside.AskAsync("SELECT quote_ident(nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'amcheck'", cancellationToken);
            foreach (var relation in (await inside.ListAsync(Relations, cancellationToken)).Select(line => line.Split(' ', 3)))
            {
                if (left() <= TimeSpan.Zero)
                {
                    return "the time for it ran out.";
                }

                if (inside.State != ConnectionState.Open)
                {
                    // Npgsql gives a connection up that has told of damage.
                    await inside.DisposeAsync();
                    inside = await open(database, cancellationToken);
                }

                var (oid, isIndex) = (relation[0], relation[1] == "i");
                try
                {
                    var wrong = isIndex
                        ? await inside.AskAsync($"SELECT {schema}.bt_index_check({oid})", cancellationToken)
                        : await inside.AskAsync($"SELECT msg FROM {schema}.verify_heapam({oid}) LIMIT 1", cancellationToken);
                    if (!string.IsNullOrEmpty(wrong))
                    {
                        broken.Add($"{database}: {relation[2]}: {wrong}");
                    }
                }
                catch (PostgresException denied) when (denied.SqlState == SqlStates.InsufficientPrivilege)
                {
                    return $"{denied.MessageText} (GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} lets the role look).";
                }
                catch (PostgresException damage)
                {
                    broken.Add($"{database}: {relation[2]}: {damage.MessageText}");
                }

                (heaps, indexes) = isIndex ? (heaps, indexes + 1) : (heaps + 1, indexes);
            }

            return null;
        }
        finally
        {
            await inside.DisposeAsync();
        }
    }
}
