namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>How many keys the databases of an RDB file have, counted as they pass.</summary>
internal sealed class RdbCounts
{
    /// <summary>Each is remembered. Servers have 16 unless somebody sets <c>databases</c>.</summary>
    private const int MostDatabases = 1 << 16;

    private readonly SortedDictionary<int, RdbDatabase> databases = [];
    private int database;
    private long keys;
    private long expiring;

    public IReadOnlyDictionary<int, RdbDatabase> All()
    {
        EndDatabase();
        return databases;
    }

    /// <summary>What is added from now on belongs to another database.</summary>
    /// <exception cref="InvalidDataException">There are too many.</exception>
    public void Select(int chosen)
    {
        EndDatabase();
        database = chosen;
    }

    public void Add(bool expires)
    {
        keys++;
        expiring += expires ? 1 : 0;
    }

    private void EndDatabase()
    {
        if (keys == 0)
        {
            return;
        }

        if (databases.Count == MostDatabases && !databases.ContainsKey(database))
        {
            throw new InvalidDataException($"the RDB file has more than {MostDatabases} databases");
        }

        var before = databases.GetValueOrDefault(database) ?? new RdbDatabase(0, 0);
        databases[database] = new RdbDatabase(before.Keys + keys, before.Expiring + expiring);
        (keys, expiring) = (0, 0);
    }
}
