using System.Collections;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>The backups of a source, oldest first, and beside them those whose manifest cannot be relied on: one damaged manifest must not hide the sound ones.</summary>
public sealed class BackupListing<T>(IReadOnlyList<T> sound, IReadOnlyList<DamagedBackup> damaged) : IReadOnlyList<T>
{
    public IReadOnlyList<DamagedBackup> Damaged { get; } = damaged;

    public int Count => sound.Count;

    public T this[int index] => sound[index];

    public IEnumerator<T> GetEnumerator() => sound.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>A backup that nothing can be restored from.</summary>
/// <param name="Id">Its id, from its name.</param>
/// <param name="Manifest">Its manifest's key.</param>
/// <param name="Reason">What is wrong, in a sentence that names the object.</param>
public sealed record DamagedBackup(BackupId Id, string Manifest, string Reason);
