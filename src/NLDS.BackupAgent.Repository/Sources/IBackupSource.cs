namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>One system that is protected. Its name is the word in commands, object keys and metrics: <c>postgres</c>, <c>redis</c>.</summary>
public interface IBackupSource
{
    string Name { get; }

    /// <summary>
    /// Looks at everything that this source needs (connection, permissions, server settings), finds every fault at once and changes nothing.
    /// </summary>
    IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken);

    /// <summary>What the repository holds of this source.</summary>
    Task<SourceListing> ListAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Reads back what <paramref name="scope"/> names, every byte, and reports what is wrong. Damage is a finding, not an exception.
    /// </summary>
    Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken);
}
