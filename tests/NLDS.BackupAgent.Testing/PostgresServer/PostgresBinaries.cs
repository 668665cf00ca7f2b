namespace NLDS.BackupAgent.Testing;

/// <summary>Where the servers of each major version are installed.</summary>
internal static class PostgresBinaries
{
    /// <summary>The directory with initdb and postgres of a version.</summary>
    /// <exception cref="InvalidOperationException">It is not there; the message says how to get it.</exception>
    public static string Directory(int major)
    {
        var system = $"/usr/lib/postgresql/{major}/bin";
        if (File.Exists(Path.Combine(system, "postgres")))
        {
            return system;
        }

        var cached = Path.Combine(Cache, $"{major}", "bin");
        return File.Exists(Path.Combine(cached, "postgres"))
            ? cached
            : throw new InvalidOperationException(
                $"PostgreSQL {major} is neither in {system} nor in {cached}. Run scripts/postgres-versions, or install the package postgresql-{major}.");
    }

    public static string Tool(int major, string name)
    {
        var path = Path.Combine(Directory(major), name);
        return File.Exists(path)
            ? path
            : throw new InvalidOperationException($"PostgreSQL {major} is here without {name}. Install the package postgresql-{major}.");
    }

    /// <summary>The same place as scripts/postgres-versions chooses. Root's home is closed to the user postgres, so root uses a public one.</summary>
    private static string Cache =>
        Environment.GetEnvironmentVariable("NLDS_POSTGRES_CACHE") is { Length: > 0 } chosen ? chosen
        : Environment.IsPrivilegedProcess ? "/var/cache/nlds-postgres"
        : Path.Combine(
            Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
                ? cache
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
            "nlds-postgres");
}
