using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>Where tablespaces go instead of where they were: <c>OLD=NEW</c>, both absolute.</summary>
internal sealed class TablespaceMoves
{
    private readonly Dictionary<string, string> moves = [];

    /// <exception cref="UsageException">Not <c>OLD=NEW</c> with absolute directories.</exception>
    public static TablespaceMoves Parse(IEnumerable<string> options)
    {
        var parsed = new TablespaceMoves();
        foreach (var option in options)
        {
            var at = option.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0 || !Path.IsPathRooted(option[..at]) || !Path.IsPathRooted(option[(at + 1)..])
                || !parsed.moves.TryAdd(Path.TrimEndingDirectorySeparator(option[..at]), Path.TrimEndingDirectorySeparator(Path.GetFullPath(option[(at + 1)..]))))
            {
                throw new UsageException($"'--tablespace {option}' is not a move. Write --tablespace OLD=NEW with two absolute directories, once for each OLD.");
            }
        }

        return parsed;
    }

    private static bool IsWithin(string inner, string outer) => (inner + '/').StartsWith(outer + '/', StringComparison.Ordinal);

    /// <summary>Each tablespace's directory by its oid.</summary>
    /// <exception cref="UsageException">A move names a directory that no tablespace of the backup has, or two directories would be one.</exception>
    public IReadOnlyDictionary<string, string> Apply(IReadOnlyList<BaseBackupDetails.Tablespace> tablespaces, string dataDirectory)
    {
        var unknown = moves.Keys.Except(tablespaces.Select(t => t.Location)).ToList();
        if (unknown.Count > 0)
        {
            var known = tablespaces.Count == 0 ? "The backup has no tablespaces." : $"It has {string.Join(", ", tablespaces.Select(t => t.Location))}.";
            throw new UsageException($"No tablespace of the backup lies in '{unknown[0]}'. {known}");
        }

        var applied = tablespaces.ToDictionary(t => t.Oid, t => moves.GetValueOrDefault(t.Location, t.Location));
        if (applied.Values.FirstOrDefault(d => IsWithin(dataDirectory, d)) is { } around)
        {
            throw new UsageException($"The tablespace directory '{around}' is or holds the target directory. Move it: --tablespace {around}=NEW.");
        }

        return applied.Values.Distinct().Count() == applied.Count
            ? applied
            : throw new UsageException("Two tablespaces would go into the same directory. Give each --tablespace its own.");
    }
}
