namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source that is a server with a data directory. Behind a restore it tells how far it has come, and whether what came back is sound.</summary>
public interface IServerSource : IDirectorySource
{
    /// <summary>Asks the protected server itself a question of one answer, in its own language.</summary>
    /// <exception cref="SourceException">It cannot be asked, or does not answer.</exception>
    Task<string> AskServerAsync(string question, CancellationToken cancellationToken);

    /// <summary>How far the protected server has come with its start. That it does not answer yet is an answer.</summary>
    /// <exception cref="SourceException">It answers, and will not tell: waiting would not help.</exception>
    Task<ServerState> LookAtServerAsync(CancellationToken cancellationToken);

    /// <summary>What the source can prove of the protected server's data without changing anything in it.</summary>
    /// <param name="budget">What takes longer is broken off and said.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    /// <exception cref="SourceException">It cannot be asked.</exception>
    Task<IReadOnlyList<RehearsalProof>> ProveServerAsync(TimeSpan budget, CancellationToken cancellationToken);
}

/// <summary>Where a server's start stands.</summary>
/// <param name="IsReady">It has all its data and takes writes.</param>
/// <param name="Words">The same for people.</param>
/// <param name="BytesLeft">What is still to be replayed or loaded; null where the server does not tell.</param>
public sealed record ServerState(bool IsReady, string Words, long? BytesLeft = null);
