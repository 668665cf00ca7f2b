using System.Collections.Concurrent;

namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>
/// The operator's word that a restored copy takes the original's place and may go on with its archive. It is given for one start, or for one copy by its name, and
/// each source uses it up by its adoption: it is never a standing yes.
/// </summary>
public sealed class AdoptionConsent(bool toAny, string? toId = null)
{
    private readonly ConcurrentDictionary<string, bool> used = [];

    /// <summary>Nothing may be adopted.</summary>
    public static AdoptionConsent None { get; } = new(toAny: false);

    /// <summary>Whether the copy of this name may be adopted now.</summary>
    public bool Covers(string source, string id) => !used.ContainsKey(source) && (toAny || toId == id);

    /// <summary>Uses it up; false when it did not cover this, or was used before.</summary>
    public bool TryUse(string source, string id) => Covers(source, id) && used.TryAdd(source, true);
}
