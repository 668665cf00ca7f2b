namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>How a source's restore is asked for.</summary>
/// <param name="Options">What only this source knows.</param>
public sealed record RestoreSyntax(IReadOnlyList<RestoreOption> Options)
{
    /// <summary>Whether it goes to a directory: the host offers <c>--target-directory</c>. Otherwise it goes back into the running system.</summary>
    public bool IsToDirectory { get; init; } = true;

    /// <summary>Whether it reaches a moment between backups: the host offers <c>--to</c>.</summary>
    public bool ReachesMoments { get; init; } = true;
}
