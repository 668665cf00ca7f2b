namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>What <c>check</c> looks at besides the sources: the store and the repository in it, with a round trip of its own.</summary>
public interface IRepositoryCheck
{
    /// <summary>The word that stands before its findings: <c>storage</c>, <c>repository</c>.</summary>
    string Name { get; }

    /// <summary>Looks at everything, finds every fault at once and leaves nothing behind.</summary>
    IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken);
}
