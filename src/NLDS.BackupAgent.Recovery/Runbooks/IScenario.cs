using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>One way in which everything can go wrong, and what to do then.</summary>
internal interface IScenario
{
    /// <summary>The word behind <c>recover</c>.</summary>
    string Name { get; }

    /// <summary>Finds out what there is and proves that the repository can give what is asked for. Changes nothing.</summary>
    /// <param name="sources">All that are enabled.</param>
    /// <param name="arguments">What was asked for, by option.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    Task<Assessment> AssessAsync(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, CancellationToken cancellationToken);

    /// <summary>The runbook of these facts. It asks nobody, and the same facts give the same steps.</summary>
    Runbook Build(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, RunFacts facts);
}

/// <summary>What was found before anything is changed.</summary>
/// <param name="Facts">What the runbook is made of.</param>
/// <param name="Lines">The same and more for people.</param>
/// <param name="Warnings">What they should know before they say yes.</param>
internal sealed record Assessment(RunFacts Facts, IReadOnlyList<string> Lines, IReadOnlyList<string> Warnings);
