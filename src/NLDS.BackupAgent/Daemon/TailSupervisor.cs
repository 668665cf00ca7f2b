using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Leases;

namespace NLDS.BackupAgent.Daemon;

/// <summary>Runs the tail of every enabled continuous source, each on its own: one that hangs or breaks is nothing to the others.</summary>
internal sealed class TailSupervisor(SourceCatalog sources, TimeProvider time, ILogger<TailSupervisor> logger, WriterLeases? leases = null) : BackgroundService
{
    public IReadOnlyList<TailLoop> Loops { get; } =
        [.. sources.Enabled.Where(entry => entry.Continuous is not null)
            .Select(entry => new TailLoop(entry.Continuous!, leases?.For(entry.Name), time, Random.Shared.NextDouble, logger))];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Loops.Select(loop => loop.RunAsync(stoppingToken)));
}
