using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>
/// A drill in Kubernetes: a namespace is made that reaches nobody, everything comes back in it by the runbook of <c>recover cluster</c>, is proved and put under load, and
/// the namespace is deleted, however the drill ended. Of the repository it changes nothing but adding its report, and its lease.
/// </summary>
public sealed partial class KubernetesDrill
{
    /// <summary>Whose lease keeps two drills from deleting each other's namespace. It has the place of a source's name.</summary>
    private const string Lease = "drill";

    private readonly DrillReports reports;
    private readonly DrillOptions options;
    private readonly DrillRecovery recovery;
    private readonly KubernetesCluster cluster;
    private readonly ScratchNamespaces namespaces;
    private readonly WriterLeases leases;
    private readonly AgentIdentity agent;
    private readonly TimeProvider clock;
    private readonly ILogger logger;

    internal KubernetesDrill(
        DrillReports reports, DrillOptions options, DrillRecovery recovery, KubernetesCluster cluster, ScratchNamespaces namespaces, WriterLeases leases, AgentIdentity agent,
        TimeProvider clock, ILogger<KubernetesDrill> logger) =>
        (this.reports, this.options, this.recovery, this.cluster, this.namespaces, this.leases, this.agent, this.clock, this.logger)
            = (reports, options, recovery, cluster, namespaces, leases, agent, clock, logger);

    /// <summary>Told each phase that has begun; a test ends there.</summary>
    internal Action<string> Reached { get; set; } = _ => { };

    private string Scratch => options.Kubernetes.Namespace;

    /// <summary>Drills everything, and writes the report.</summary>
    /// <param name="sources">All that are enabled.</param>
    /// <param name="say">Told a line at a time what happens.</param>
    /// <param name="progress">Told how far long work has come.</param>
    /// <param name="cancellationToken">Breaks it off; the namespace is deleted all the same.</param>
    /// <returns>The report, and where its page lies in the repository.</returns>
    /// <exception cref="SourceException">The namespace is somebody else's, or another drill runs: nothing was done.</exception>
    /// <exception cref="UsageException">The configuration does not say enough.</exception>
    public async Task<(DrillReport Report, string Page)> RunAsync(
        IReadOnlyList<ISnapshotSource> sources, Action<string> say, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var copies = Copies(sources);
        var original = cluster.Namespace;
        if (Scratch == original || Scratch == cluster.PodNamespace)
        {
            throw new UsageException($"Drill:Kubernetes:Namespace is '{Scratch}', which is in use. Write the name of a namespace that is made for drills.");
        }

        await using var alone = await AloneAsync(cancellationToken);
        await RemoveRemainsAsync(original, cancellationToken);
        var began = clock.GetUtcNow();
        var id = await reports.NewIdAsync(began, cancellationToken);
        var earlier = await reports.ReadAsync(cancellationToken);
        var run = new KubernetesDrillRun(recovery, options, namespaces, clock, new ScratchNamespace(Scratch, original, id)
        {
            StoreNetworks = options.Kubernetes.Networks, StorePorts = options.Kubernetes.Ports, DnsNamespace = options.Kubernetes.DnsNamespace,
        })
        {
            Sources = [.. sources.Where(source => source is not IServerSource), .. copies.Select(copy => copy.Copy)],
            Copies = copies,
            Watch = new(say, progress),
            Reached = phase =>
            {
                LogPhase(phase);
                Reached(phase);
            },
        };
        try
        {
            await run.RunAsync(cancellationToken);
        }
        finally
        {
            run.Left(await DeleteAsync(original));
        }

        var report = DrillConclusion.Of(id, began, clock.GetUtcNow(), $"{agent.Instance} on {agent.Machine}", run.Results(), options, DrillMode.Kubernetes);
        var page = await reports.WriteAsync(report, earlier, cancellationToken);
        LogDrilled(report.Verdict, page);
        return (report, page);
    }

    /// <summary>The servers that come back, each as the original and as the copy in the scratch namespace.</summary>
    private List<DrilledCopy> Copies(IReadOnlyList<ISnapshotSource> sources)
    {
        if (!sources.Any(source => source.Name == KubernetesServices.Source))
        {
            throw new UsageException("Drill:Mode is Kubernetes, and the source 'kubernetes' is not enabled. Set Kubernetes:Namespace to the namespace that is rehearsed.");
        }

        return
        [
            .. sources.OfType<IRehearsedSource>().Where(source => recovery.HasServer(source.Name))
                .Select(source => new DrilledCopy(source, source.At(options.Kubernetes.PlaceOf(source.Name, source.Place)))),
        ];
    }

    private async Task<LeaseHold> AloneAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await leases.For(Lease).HoldAsync(cancellationToken);
        }
        catch (SourceException held)
        {
            throw new SourceException($"Somebody drills already: {held.Message} Nothing was done here.", isPermanent: false, held);
        }
    }

    /// <summary>Whoever has the lease knows that an earlier drill of this namespace has ended, in whatever way.</summary>
    private async Task RemoveRemainsAsync(string original, CancellationToken cancellationToken)
    {
        if (await namespaces.FindRemainsAsync(Scratch, original, cancellationToken) is { } remains)
        {
            LogSwept(remains, Scratch);
            if ((await namespaces.DeleteAsync(Scratch, original, options.Kubernetes.CleanUpTime, cancellationToken)).Stuck is { } stuck)
            {
                throw new SourceException($"What the drill {remains} left is in the way. {stuck}", isPermanent: false);
            }
        }
    }

    /// <summary>It takes its own time: a drill that is broken off is cleaned up too.</summary>
    private async Task<Leftovers> DeleteAsync(string original)
    {
        Reached("clean up");
        try
        {
            return await namespaces.DeleteAsync(Scratch, original, options.Kubernetes.CleanUpTime, CancellationToken.None);
        }
        catch (SourceException failure)
        {
            LogNotDeleted(Scratch, failure.Message);
            return new Leftovers($"The namespace {Scratch} could not be deleted: {failure.Message} The next drill tries again.", []);
        }
    }

    [LoggerMessage(LogLevel.Information, "The drill: {Phase}.")]
    private partial void LogPhase(string phase);

    [LoggerMessage(LogLevel.Information, "The drill has ended: {Verdict}. Its report is {Page}.")]
    private partial void LogDrilled(DrillVerdict verdict, string page);

    [LoggerMessage(LogLevel.Warning, "The drill {Drill} did not come to its end. The namespace '{Namespace}' that it left is deleted.")]
    private partial void LogSwept(string drill, string @namespace);

    [LoggerMessage(LogLevel.Error, "The namespace '{Namespace}' could not be deleted: {Message}")]
    private partial void LogNotDeleted(string @namespace, string message);
}

/// <summary>A server that is rehearsed.</summary>
/// <param name="Original">As it is configured.</param>
/// <param name="Copy">The same source, which asks the copy.</param>
internal sealed record DrilledCopy(IRehearsedSource Original, IRehearsedSource Copy)
{
    public string Name => Original.Name;
}
