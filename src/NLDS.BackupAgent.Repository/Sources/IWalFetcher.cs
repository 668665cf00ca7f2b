namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>Delivers one file of a write-ahead log to a server that is recovering: the work behind PostgreSQL's <c>restore_command</c>.</summary>
public interface IWalFetcher
{
    /// <summary>
    /// Puts <paramref name="file"/> (a segment or a history file) at <paramref name="path"/>, whole or not at all.
    /// </summary>
    /// <returns>True when delivered; false only when the archive certainly does not hold it, which tells the server that the log ends here. Everything
    /// else is an exception, because a server that is told "absent" ends its recovery and promotes.</returns>
    Task<bool> FetchAsync(string file, string path, CancellationToken cancellationToken);
}
