using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Features;

/// <summary>One source as the host sees it: its snapshots, its log, or both, under one name.</summary>
internal sealed record SourceEntry(string Name, bool IsEnabled, ISnapshotSource? Snapshot, IContinuousSource? Continuous)
{
    /// <summary>The part that checks, lists and verifies.</summary>
    public IBackupSource Source => (IBackupSource?)Snapshot ?? Continuous!;
}

/// <summary>The sources that registered themselves, in the order of the features.</summary>
internal sealed class SourceCatalog
{
    private readonly AgentConfiguration configuration;

    public SourceCatalog(IEnumerable<ISnapshotSource> snapshots, IEnumerable<IContinuousSource> tails, AgentConfiguration configuration)
    {
        this.configuration = configuration;
        var byName = snapshots.ToDictionary(source => source.Name);
        var tailsByName = tails.ToDictionary(source => source.Name);
        All = [.. configuration.Features.Sources
            .Select(feature => new SourceEntry(
                feature.Source!, configuration.IsEnabled(feature), byName.GetValueOrDefault(feature.Source!), tailsByName.GetValueOrDefault(feature.Source!)))
            .Where(entry => entry.Snapshot is not null || entry.Continuous is not null)];
    }

    public IReadOnlyList<SourceEntry> All { get; }

    public IEnumerable<SourceEntry> Enabled => All.Where(entry => entry.IsEnabled);

    /// <exception cref="UsageException">There is none of this name.</exception>
    public SourceEntry Require(string name) =>
        All.FirstOrDefault(entry => entry.Name == name)
        ?? throw new UsageException($"There is no source '{name}'. Known: {string.Join(", ", All.Select(entry => entry.Name))}.");

    /// <exception cref="UsageException">There is none of this name, or it is not enabled.</exception>
    public SourceEntry RequireEnabled(string name)
    {
        var entry = Require(name);
        var section = configuration.Features.Sources.First(feature => feature.Source == name).Section;
        return entry.IsEnabled ? entry : throw new UsageException($"The source '{name}' is not enabled. Set {section}:Enabled to true.");
    }
}
