namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source that is restored into the data directory of its server, and can tell what lies in one.</summary>
public interface IDirectorySource : ISnapshotSource
{
    /// <summary>What lies in a directory, which may be absent. Reads only.</summary>
    DirectoryContent Look(string directory);
}

/// <summary>What a data directory holds.</summary>
public enum DirectoryKind
{
    /// <summary>Nothing, or nothing that is anybody's.</summary>
    Empty,

    /// <summary>A restore by this program that did not come to its end. No server starts from it, and nothing else is in it.</summary>
    Unfinished,

    /// <summary>A server's data.</summary>
    Data,

    /// <summary>Something else: a server's data in part, or files of whatever kind.</summary>
    Strange,
}

/// <summary>What lies in a directory.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Words">The same for people: <c>the data of PostgreSQL 15</c>.</param>
public sealed record DirectoryContent(DirectoryKind Kind, string Words);
