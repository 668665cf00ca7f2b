namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>Delivers the files of a write-ahead log to a server that is recovering: the work behind PostgreSQL's <c>restore_command</c>.</summary>
public interface IWalFetcher
{
    /// <summary>
    /// Puts <paramref name="file"/> (a segment or a history file) at <paramref name="path"/>, whole or not at all.
    /// </summary>
    /// <returns>True when delivered; false only when the archive certainly does not hold it, which tells the server that the log ends here. Everything
    /// else is an exception, because a server that is told "absent" ends its recovery and promotes.</returns>
    Task<bool> FetchAsync(string file, string path, CancellationToken cancellationToken) => FetchAsync(file, path, path, cancellationToken);

    /// <summary>The same for a file that is moved to where the server wants it afterwards.</summary>
    /// <param name="file">The segment or history file.</param>
    /// <param name="path">Where it is put.</param>
    /// <param name="serverPath">Where the server wants it, which says whose log that server can replay.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<bool> FetchAsync(string file, string path, string serverPath, CancellationToken cancellationToken);

    /// <summary>
    /// The names of the segments that follow <paramref name="file"/> on its timeline, in their order: as many as <paramref name="bytes"/> have room for,
    /// and two at least. None when it is not a segment. Whether the archive holds them is not looked at.
    /// </summary>
    Task<IReadOnlyList<string>> FollowingAsync(string file, long bytes, CancellationToken cancellationToken);

    /// <summary>
    /// Puts a segment at <paramref name="path"/> if the archive holds it as one finished object, proved to its last byte. What is open still, and would have
    /// to be filled up with zeros, is never put there: the same name holds more later.
    /// </summary>
    /// <returns>False when the store said that it has no such object. For the server that proves nothing; only <see cref="FetchAsync"/> may tell it of an end.</returns>
    Task<bool> FetchWholeAsync(string segment, string path, CancellationToken cancellationToken);
}
