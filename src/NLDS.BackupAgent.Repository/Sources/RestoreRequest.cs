namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>What the user asked a restore to do; the words are still the user's.</summary>
public sealed record RestoreRequest
{
    public string? TargetDirectory { get; init; }

    /// <summary><c>latest</c> (also when null), an ISO 8601 time with an offset, or what else the source understands (<c>0/1000060</c>, <c>name:before_upgrade</c>).</summary>
    public string? To { get; init; }

    /// <summary>The backup to begin from; the best one for the target when null.</summary>
    public string? BackupId { get; init; }

    /// <summary>
    /// False to prove only that the repository can give this: no target is looked at, none need be named, and the plan is not one that can be done.
    /// </summary>
    public bool HasTarget { get; init; } = true;

    /// <summary>
    /// The restored server takes the original's place: whoever backs it up may go on in the original's archive, as long as nobody has written there since. Otherwise it
    /// is a copy, and stays one until somebody says more.
    /// </summary>
    public bool TakesPlace { get; init; }

    /// <summary>Options only this source knows, by their long name without dashes: <c>tablespace</c> → <c>/old=/new</c>.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Options { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
}
