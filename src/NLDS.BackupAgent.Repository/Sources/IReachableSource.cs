namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source without a log, whose system has to be asked whether it is there: nothing else would tell between two backups.</summary>
public interface IReachableSource : IBackupSource
{
    /// <summary>Asks its system for one small answer, as whoever the backups will be taken as.</summary>
    /// <exception cref="SourceException">It cannot be reached, or does not let us in.</exception>
    Task ReachAsync(CancellationToken cancellationToken);
}
