namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>
/// The operator's word that a restored copy takes the original's place and may go on with its archive. It is given for one start, or for one restore by its id, and
/// it is used up by the adoption: it is never a standing yes.
/// </summary>
public sealed class AdoptionConsent(bool toAny, string? toId = null)
{
    private int used;

    /// <summary>Nothing may be adopted.</summary>
    public static AdoptionConsent None { get; } = new(toAny: false);

    /// <summary>Whether the restore of this id may be adopted now.</summary>
    public bool Covers(string restoreId) => Volatile.Read(ref used) == 0 && (toAny || toId == restoreId);

    /// <summary>Uses it up; false when it did not cover this, or was used before.</summary>
    public bool TryUse(string restoreId) => Covers(restoreId) && Interlocked.Exchange(ref used, 1) == 0;
}
