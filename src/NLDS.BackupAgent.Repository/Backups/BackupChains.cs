namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>Backups that build upon others. Pure. A parent is always older than what builds upon it, so that no chain is a circle.</summary>
internal static class BackupChains
{
    /// <summary>Counts as damaged what builds upon a backup that is not there or is damaged: nothing can be restored from it.</summary>
    /// <param name="sound">Backups with a sound manifest, oldest first.</param>
    /// <param name="damaged">Those whose manifest cannot be relied on.</param>
    /// <param name="believesMarks">What an earlier verification found damaged counts as that.</param>
    public static BackupListing<SealedBackup> Prove(SnapshotLayout layout, IReadOnlyList<SealedBackup> sound, IReadOnlyList<DamagedBackup> damaged, bool believesMarks)
    {
        if (!sound.Any(backup => backup.Parent is not null))
        {
            return new BackupListing<SealedBackup>(sound, damaged);
        }

        var whole = new Dictionary<string, SealedBackup>();
        var broken = damaged.ToDictionary(d => d.Id.ToString(), d => d);
        foreach (var backup in sound)
        {
            var id = backup.Id.ToString();
            if (backup.Parent is not { } name)
            {
                whole.Add(id, backup);
            }
            else if (WhyBroken(name, whole, broken, believesMarks) is { } why)
            {
                broken.TryAdd(id, new DamagedBackup(backup.Id, layout.Manifest(backup.Id).Value, $"Backup {id} holds only what changed since backup {name}, which {why}."));
            }
            else
            {
                var parent = whole[name];
                whole.Add(id, backup with { VerifiedAt = Earlier(backup.VerifiedAt, parent.VerifiedAt) });
            }
        }

        return new BackupListing<SealedBackup>([.. whole.Values], [.. broken.Values.OrderBy(d => d.Id)]);
    }

    /// <summary>A backup and all that it builds upon, the one that stands by itself first.</summary>
    public static IReadOnlyList<SealedBackup> Of(SealedBackup backup, IReadOnlyList<SealedBackup> all)
    {
        var chain = new List<SealedBackup> { backup };
        while (chain[0].Parent is { } name && all.FirstOrDefault(b => b.Id.ToString() == name && b.Id < chain[0].Id) is { } parent)
        {
            chain.Insert(0, parent);
        }

        return chain;
    }

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => one is null || other is null ? null : one < other ? one : other;

    private static string? WhyBroken(string parent, Dictionary<string, SealedBackup> whole, Dictionary<string, DamagedBackup> broken, bool believesMarks) =>
        whole.TryGetValue(parent, out var found) ? found.IsKnownDamaged && believesMarks ? "a verification found damaged" : null
        : broken.ContainsKey(parent) ? "cannot be restored itself"
        : "is missing from the repository";
}
