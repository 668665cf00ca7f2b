using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Schedules;

namespace NLDS.BackupAgent.Configuration;

/// <summary>The configuration, read once, without a fault in it.</summary>
internal sealed class AgentConfiguration
{
    private readonly Dictionary<string, object> options;

    private AgentConfiguration(IConfigurationRoot settings, FeatureList features, Dictionary<string, object> options)
    {
        Settings = settings;
        Features = features;
        this.options = options;
    }

    public IConfigurationRoot Settings { get; }

    public FeatureList Features { get; }

    public AgentOptions Agent => (AgentOptions)options["Agent"];

    public bool IsEnabled(Feature feature) => OptionPath.IsEnabled(options[feature.Section]);

    /// <summary>The schedules of the enabled sources. A job for all sources together is kept by the first one.</summary>
    public IReadOnlyList<JobSchedule> Schedules() =>
        [.. Features.Sources.Where(IsEnabled).SelectMany(source => Features.ForEverySource.Prepend(source)
            .SelectMany(feature => JobSchedule.Of(feature, options[feature.Section], source.Source!))),
            .. Features.Sources.Where(IsEnabled).Take(1).SelectMany(first => Features.WithJob.Where(IsEnabled)
                .SelectMany(feature => JobSchedule.Of(feature, options[feature.Section], first.Source!)))];

    /// <param name="around">Where to look.</param>
    /// <param name="configFile">What <c>--config</c> names, or null.</param>
    /// <param name="features">The sections that exist.</param>
    /// <param name="scrubber">Learns the secrets before anything is judged, because a message about a setting may quote it.</param>
    /// <param name="judgeSchedules">False for the verb that has no time to load the scheduler.</param>
    /// <exception cref="ConfigurationFaultsException">Holds every fault that was found, in the order of the sections.</exception>
    public static AgentConfiguration Load(Surroundings around, string? configFile, FeatureList features, SecretScrubber scrubber, bool judgeSchedules = true)
    {
        var faults = new List<ConfigurationFault>();
        var sections = features.All.Select(feature => feature.Section).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var layers = ConfigurationLayers.Read(around, configFile, sections, faults);
        foreach (var file in layers.Where(layer => layer.IsFile))
        {
            FindUnknownSections(file, sections, faults);
        }

        var merged = ConfigurationLayers.InMemory(Merge(layers, sections));
        foreach (var (key, value) in SecretFiles.Read(merged, sections, around.WorkingDirectory, faults))
        {
            merged[key] = value;
        }

        scrubber.Learn(merged, around.Environment);
        var options = new Dictionary<string, object>(StringComparer.OrdinalIgnoreCase);
        foreach (var feature in features.All)
        {
            options[feature.Section] = Judge(merged, feature, judgeSchedules, faults);
        }

        return faults.Count == 0 ? new AgentConfiguration(merged, features, options) : throw new ConfigurationFaultsException(faults);
    }

    /// <summary>Of the environment only the sections' keys are taken: the rest of it is other programs' business.</summary>
    private static IEnumerable<KeyValuePair<string, string?>> Merge(IEnumerable<ConfigurationLayer> layers, HashSet<string> sections) =>
        layers.SelectMany(layer => layer.Settings.AsEnumerable().Where(setting =>
            setting.Value is not null && (layer.IsFile || IsOfSection(setting.Key, sections) || IsStandard(setting.Key))));

    private static bool IsOfSection(string key, HashSet<string> sections) =>
        key.IndexOf(':', StringComparison.Ordinal) is > 0 and var end && sections.Contains(key[..end]);

    private static bool IsStandard(string key) => StandardKeys.Accepts(key.Split(':')[0]) || key.StartsWith("OTEL_", StringComparison.Ordinal);

    private static void FindUnknownSections(ConfigurationLayer file, HashSet<string> sections, List<ConfigurationFault> faults)
    {
        foreach (var child in file.Settings.GetChildren().Where(child => !sections.Contains(child.Key) && !StandardKeys.Accepts(child.Key)))
        {
            faults.Add(new ConfigurationFault($"{child.Key} (in {file.Name})", KeyWalk.Unknown("", child.Key, sections)));
        }

        foreach (var child in file.Settings.GetChildren().Where(child => sections.Contains(child.Key) && !string.IsNullOrEmpty(child.Value)))
        {
            faults.Add(new ConfigurationFault($"{child.Key} (in {file.Name})", "has keys of its own. Write an object."));
        }
    }

    private static object Judge(IConfigurationRoot merged, Feature feature, bool judgeSchedules, List<ConfigurationFault> faults)
    {
        var walk = new KeyWalk(faults);
        walk.Through(merged.GetSection(feature.Section), feature.Options);

        // What cannot be read is left out, so that the rest can still be judged: all faults come in one go.
        var readable = ConfigurationLayers.InMemory(merged.AsEnumerable().Where(setting => !walk.Unusable.Any(key =>
            setting.Key.Equals(key, StringComparison.OrdinalIgnoreCase) || setting.Key.StartsWith(key + ":", StringComparison.OrdinalIgnoreCase))));
        var options = readable.GetSection(feature.Section).Get(feature.Options) ?? Activator.CreateInstance(feature.Options)!;
        faults.AddRange(OptionsValidation.Faults(options, feature.Section).Where(fault => !walk.Unusable.Contains(fault.Key)));
        if (judgeSchedules && OptionPath.IsEnabled(options))
        {
            faults.AddRange(JobSchedule.Faults(feature, options));
        }

        return options;
    }
}
