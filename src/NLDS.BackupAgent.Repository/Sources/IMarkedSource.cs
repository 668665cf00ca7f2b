namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source in whose log the present moment can be marked, so that a restore finds it again.</summary>
public interface IMarkedSource : IBackupSource
{
    /// <summary>Marks now. It returns as soon as the server has answered; the mark is of use when it is durable.</summary>
    /// <exception cref="SourceException">The server cannot be asked, or does not allow it.</exception>
    Task<SourceMark> MarkAsync(string name, CancellationToken cancellationToken);

    /// <summary>Whether the repository holds everything up to the mark.</summary>
    Task<bool> IsDurableAsync(SourceMark mark, CancellationToken cancellationToken);
}

/// <summary>One source's place of a mark.</summary>
/// <param name="To">What <c>--to</c> understands: <c>0/5A3C1F8</c>.</param>
/// <param name="Words">What was done, for people.</param>
public sealed record SourceMark(string To, string Words);
