namespace NLDS.BackupAgent.Repository.Log;

/// <summary>How a source cuts its log into whole segments and what it calls them. Pure; the names go into keys and are what people look for.</summary>
public interface ILogNaming
{
    /// <summary>The whole segment that <paramref name="position"/> lies in.</summary>
    LogRange SegmentAt(ulong position);

    /// <summary>
    /// A whole segment's name, without the codec's suffix. Names of one lineage sort (ordinally) as positions do, and before <c>gaps/</c>.
    /// </summary>
    string Name(string lineage, LogRange segment);

    /// <summary>The reverse of <see cref="Name"/>; false for any other name.</summary>
    bool TryParse(string name, out string lineage, out LogRange segment);

    /// <summary>Whether this can be the name of a lineage: what is read in a store may say anything.</summary>
    bool IsLineage(string text);

    /// <summary>A position as the source's users write it.</summary>
    string Format(ulong position);
}
