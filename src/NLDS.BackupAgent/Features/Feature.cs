using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Features;

/// <summary>One part of the program that has a section in the configuration.</summary>
/// <param name="Section">The section's name: <c>Postgres</c>.</param>
/// <param name="Options">The type whose settable properties are the section's keys.</param>
/// <param name="Add">Registers the feature's services; given the whole configuration.</param>
internal sealed record Feature(string Section, Type Options, Action<IServiceCollection, IConfiguration> Add)
{
    /// <summary>The source's name when the feature is a source: the word in commands and metrics.</summary>
    public string? Source { get; init; }

    public IReadOnlyList<ScheduleKeys> Schedules { get; init; } = [];

    /// <summary>Its schedule is of one job for all sources together, rather than of one for each.</summary>
    public bool HasOneJob { get; init; }

    /// <summary>Null when nothing can be restored from it.</summary>
    public RestoreSyntax? Restore { get; init; }
}
