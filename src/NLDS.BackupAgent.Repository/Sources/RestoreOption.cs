namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>An option of <c>restore</c> that only one source knows; the host offers it and hands its values over in <see cref="RestoreRequest.Options"/>.</summary>
/// <param name="Name">Its long name without dashes: <c>tablespace</c>.</param>
/// <param name="ValueName">What stands for its value in the help: <c>OLD=NEW</c>. Null for one that is only said or not.</param>
/// <param name="Description">One sentence for the help.</param>
/// <param name="AllowsMany">Whether it may be given more than once.</param>
public sealed record RestoreOption(string Name, string? ValueName, string Description, bool AllowsMany = false);
