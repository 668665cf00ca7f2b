using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Features;

/// <summary>
/// Everything that the program is made of. It is known before any configuration is read, so that the command line can name the sources and the
/// configuration can name the sections.
/// </summary>
internal sealed class FeatureList
{
    private readonly List<Feature> features = [new("Agent", typeof(AgentOptions), static (services, configuration) => services.AddAgent(configuration))];

    public IReadOnlyList<Feature> All => features;

    public IEnumerable<Feature> Sources => features.Where(feature => feature.Source is not null);

    /// <summary>The features that have a job for every source.</summary>
    public IEnumerable<Feature> ForEverySource => features.Where(feature => feature.Source is null && !feature.HasOneJob && feature.Schedules.Count > 0);

    /// <summary>The features that have a job of their own, for all sources together.</summary>
    public IEnumerable<Feature> WithJob => features.Where(feature => feature.HasOneJob);

    /// <param name="section">The section's name.</param>
    /// <param name="add">Registers the services.</param>
    /// <param name="everySource">A job that every source has, by the end of its name: <c>verify</c> for <c>postgres-verify</c>.</param>
    public FeatureList Add<TOptions>(string section, Action<IServiceCollection, IConfiguration> add, ScheduleKeys? everySource = null)
    {
        features.Add(new Feature(section, typeof(TOptions), add) { Schedules = everySource is null ? [] : [everySource] });
        return this;
    }

    /// <summary>Adds a feature that has one job, for all sources together.</summary>
    public FeatureList AddWithJob<TOptions>(string section, Action<IServiceCollection, IConfiguration> add, ScheduleKeys job)
    {
        features.Add(new Feature(section, typeof(TOptions), add) { Schedules = [job], HasOneJob = true });
        return this;
    }

    /// <summary>
    /// Adds a source. It registers itself as <see cref="ISnapshotSource"/>, <see cref="IContinuousSource"/> or both, under the name given here, whether
    /// or not it is enabled: what was backed up once can be listed and restored without the server's being configured.
    /// </summary>
    public FeatureList AddSource<TOptions>(
        string section,
        string source,
        Action<IServiceCollection, IConfiguration> add,
        IReadOnlyList<ScheduleKeys>? schedules = null,
        RestoreSyntax? restore = null)
    {
        features.Add(new Feature(section, typeof(TOptions), add) { Source = source, Schedules = schedules ?? [], Restore = restore });
        return this;
    }
}
