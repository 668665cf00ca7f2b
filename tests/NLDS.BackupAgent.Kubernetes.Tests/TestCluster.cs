using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Kubernetes.Checks;
using NLDS.BackupAgent.Kubernetes.Restore;
using NLDS.BackupAgent.Kubernetes.Verification;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests;

/// <summary>The real classes between the double of an API server and a store in memory.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    /// <summary>Any 32 bytes.</summary>
    public const string Key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    private readonly TemporaryDirectory directory = new();

    private string? keys;
    private TimeProvider time = TimeProvider.System;

    private TestCluster(ApiServerDouble server) => Server = server;

    public ApiServerDouble Server { get; }

    public IObjectStore Store { get; private set; } = null!;

    public KubernetesOptions Options { get; private set; } = null!;

    public BackupRepository Repository { get; private set; } = null!;

    public KubernetesSource Source { get; private set; } = null!;

    public ArchiveReader Archives { get; private set; } = null!;

    /// <param name="keys">The repository's key; none stores readable, and leaves Secrets out.</param>
    public static async Task<TestCluster> StartAsync(string? keys = Key, string token = ApiServerDouble.Admin, Action<KubernetesOptions>? configure = null, bool loads = true, TimeProvider? clock = null)
    {
        var cluster = new TestCluster(await ApiServerDouble.StartAsync()) { Store = new MemoryObjectStore() };
        if (loads)
        {
            cluster.Server.LoadRecordedNamespace();
        }

        cluster.Connect(keys, token, configure, clock);
        return cluster;
    }

    /// <summary>Begins anew as another process would, with the same store and the same cluster.</summary>
    public void Connect(string? keys = Key, string token = ApiServerDouble.Admin, Action<KubernetesOptions>? configure = null, TimeProvider? clock = null)
    {
        var time = clock ?? TimeProvider.System;
        Options = new KubernetesOptions { Namespace = "nlds", Kubeconfig = Server.WriteKubeconfig(directory[$"config-{Guid.NewGuid():N}"], token) };
        configure?.Invoke(Options);
        this.keys = keys;
        this.time = time;
        Repository = RepositoryOver(Store);
        Archives = new ArchiveReader(Repository);
        Source = SourceOver(Store);
    }

    /// <summary>The same process with another way to a store.</summary>
    public KubernetesSource SourceOver(IObjectStore store)
    {
        var repository = RepositoryOver(store);
        var archives = new ArchiveReader(repository);
        return new KubernetesSource(
            repository,
            new BackupTaker(Options, repository, archives, time, NullLogger<BackupTaker>.Instance),
            new RestorePlanner(Options, repository, archives, time),
            new Restorer(Options, time, NullLogger<Restorer>.Instance),
            new KubernetesVerifier(repository, time),
            new KubernetesChecks(Options, repository, time),
            Options,
            time);
    }

    public KubernetesApi Api() => new(ClusterConnections.Find(Options, TimeProvider.System), TimeProvider.System);

    public Task<SealedBackup> TakeAsync() => Source.TakeAsync(new Progress<TransferProgress>(), CancellationToken.None);

    public Task<RestorePlan> PlanAsync(string? mode = null, string? ns = null, string? backup = null, bool force = false, bool rehearsal = false)
    {
        var options = new Dictionary<string, IReadOnlyList<string>>();
        if (mode is not null)
        {
            options["mode"] = [mode];
        }

        if (ns is not null)
        {
            options["namespace"] = [ns];
        }

        if (force)
        {
            options["force-conflicts"] = [];
        }

        if (rehearsal)
        {
            options[KubernetesServices.Rehearsal] = [];
        }

        return Source.PlanRestoreAsync(new RestoreRequest { BackupId = backup, Options = options }, CancellationToken.None);
    }

    public async Task<RestoreOutcome> RestoreAsync(string? mode = null, string? ns = null, string? backup = null, bool force = false, bool rehearsal = false) =>
        await Source.RestoreAsync(await PlanAsync(mode, ns, backup, force, rehearsal), new Progress<TransferProgress>(), CancellationToken.None);

    public Task<VerifyReport> VerifyAsync() => Source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), CancellationToken.None);

    public async Task<IReadOnlyDictionary<string, byte[]>> ReadArchiveAsync(SealedBackup backup)
    {
        var (_, objects) = await Archives.ReadObjectsAsync(KubernetesCatalog.Read(backup), CancellationToken.None);
        return objects;
    }

    public BackupRepository RepositoryOver(IObjectStore store) => new(store, new RepositoryOptions { Encryption = { Key = keys } }, time);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        directory.Dispose();
    }
}
