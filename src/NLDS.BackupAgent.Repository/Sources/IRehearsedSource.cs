namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>
/// A source whose restore can be rehearsed: on this machine, where it starts a server on a restored directory that nobody reaches and that reaches nobody, or elsewhere,
/// where something else has started one.
/// </summary>
public interface IRehearsedSource : IServerSource
{
    /// <summary>Where the protected server is.</summary>
    ServerPlace Place { get; }

    /// <summary>
    /// The same source, which asks another server: a copy with the same users, and a certificate that was issued to the original. What is backed up stays the original's.
    /// </summary>
    IRehearsedSource At(ServerPlace place);

    /// <summary>Meets a copy that something else has started at <see cref="Place"/> and that answers by now. Disposing leaves it as it is.</summary>
    /// <param name="plan">What it must at least have.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="SourceException">It does not answer, or lets nobody in.</exception>
    Task<IRehearsal> VisitAsync(RestorePlan plan, CancellationToken cancellationToken);

    /// <summary>
    /// The server's programs on this machine that fit a plan, in words: <c>PostgreSQL 15.18 in /usr/lib/postgresql/15/bin</c>.
    /// </summary>
    /// <exception cref="SourceException">There are none; the message says what to install or set.</exception>
    Task<string> RequireProgramsAsync(RestorePlan plan, CancellationToken cancellationToken);

    /// <summary>
    /// Starts the server on the directory that <paramref name="plan"/> was restored to, and returns when it has recovered and answers.
    /// </summary>
    /// <param name="plan">What was restored.</param>
    /// <param name="privateDirectory">An empty directory beside it, for the socket and the log.</param>
    /// <param name="cancellationToken">Ends the server.</param>
    /// <exception cref="NotRestorableException">The server does not start or recover; its last words are in the message.</exception>
    Task<IRehearsal> RehearseAsync(RestorePlan plan, string privateDirectory, CancellationToken cancellationToken);
}

/// <summary>A restored copy that runs. Disposing ends it at once.</summary>
public interface IRehearsal : IAsyncDisposable
{
    /// <summary>What runs and how it is closed off, a line each.</summary>
    IReadOnlyList<string> Description { get; }

    /// <summary>What the source itself can prove of a copy: its structures, its settings against this machine.</summary>
    /// <param name="budget">What takes longer is broken off and said.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    Task<IReadOnlyList<RehearsalProof>> ProveAsync(TimeSpan budget, CancellationToken cancellationToken);

    /// <summary>Asks the copy a question of one answer, in the server's own language.</summary>
    /// <exception cref="SourceException">It does not answer.</exception>
    Task<string> AskAsync(string question, CancellationToken cancellationToken);

    /// <summary>One of the clients of a load: a connection of its own.</summary>
    /// <param name="statement">What it does again and again; null for reads of random data.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    Task<IRehearsalClient> ConnectAsync(string? statement, CancellationToken cancellationToken);

    /// <summary>Stops the server in order, and proves what can be proved only then.</summary>
    Task<IReadOnlyList<RehearsalProof>> StopAsync(CancellationToken cancellationToken);
}

/// <summary>A client of a copy.</summary>
public interface IRehearsalClient : IAsyncDisposable
{
    /// <summary>One request, to its answer.</summary>
    Task DoAsync(CancellationToken cancellationToken);
}

/// <summary>How a proof came out.</summary>
public enum ProofVerdict
{
    Proven,

    /// <summary>Could not be looked at, for a reason that is no fault of the copy.</summary>
    NotLooked,

    /// <summary>The data are there, but something about them needs somebody's eye.</summary>
    Finding,

    /// <summary>The copy is not what it should be.</summary>
    Failed,
}

/// <summary>One thing that was proved of a copy.</summary>
/// <param name="What">What: <c>data checksums</c>.</param>
/// <param name="Words">What was found, a sentence.</param>
public sealed record RehearsalProof(string What, ProofVerdict Verdict, string Words);
