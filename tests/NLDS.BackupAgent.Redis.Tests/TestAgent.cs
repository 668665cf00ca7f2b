using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Redis.Backup;
using NLDS.BackupAgent.Redis.Checks;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Redis.Tail;
using NLDS.BackupAgent.Redis.Verification;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Redis.Tests;

/// <summary>An agent in this process: the real classes between a real server and a store whose faults a test chooses.</summary>
internal sealed class TestAgent : IAsyncDisposable
{
    /// <summary>The pauses of a test, which has no load to spare anybody.</summary>
    public static readonly TailTiming Impatient = new()
    {
        FirstPause = TimeSpan.FromMilliseconds(50),
        LongestPause = TimeSpan.FromMilliseconds(400),
        LongestPauseAfterCopy = TimeSpan.FromMilliseconds(400),
    };

    /// <summary>The processes of the machine on which all of a test's agents run, and which of them are gone.</summary>
    private static readonly ConcurrentDictionary<ProcessIdentity, bool> Alive = [];

    private static int processes;

    private readonly CancellationTokenSource stopping = new();
    private readonly AgentIdentity identity;

    private TestAgent(RedisOptions options, IObjectStore store, TailTiming timing, TimeProvider clock, string? keys, AdoptionConsent consent, string? instance)
    {
        Options = options;
        Store = new FaultyObjectStore(store);
        Repository = new BackupRepository(Store, new RepositoryOptions { CompressionLevel = 1, Encryption = { Key = keys } }, clock);
        Catalog = new RedisCatalog(Repository);
        var number = Interlocked.Increment(ref processes);
        identity = new AgentIdentity(instance ?? "redis-0", "test", new ProcessIdentity("test", "pid:[1]", number, 1));
        Alive[identity.Process] = true;
        Leases = new WriterLeases(Repository, identity, LeaseTiming.Default with { Fresh = TimeSpan.Zero }, process => Alive[process], NullLogger<WriterLeases>.Instance);
        var guard = new LineageGuard(options, Catalog, consent, identity, clock, NullLogger<LineageGuard>.Instance);
        Tail = new RedisTail(options, Catalog, Repository, guard, Leases, clock, NullLogger<RedisTail>.Instance) { Timing = timing };
        var taker = new BaseTaker(options, Catalog, Repository, Tail, guard, Leases, clock, NullLogger<BaseTaker>.Instance);
        Source = new RedisSource(
            Catalog,
            Tail,
            taker,
            new RestorePlanner(Repository, Catalog, clock),
            new Restorer(Repository, Catalog, identity, clock, NullLogger<Restorer>.Instance),
            new RedisVerifier(Repository, Catalog, clock),
            new RedisChecks(options, clock),
            options,
            clock);
    }

    public RedisOptions Options { get; }

    public FaultyObjectStore Store { get; }

    public BackupRepository Repository { get; }

    public RedisCatalog Catalog { get; }

    public WriterLeases Leases { get; }

    public RedisTail Tail { get; }

    public RedisSource Source { get; }

    public Task Running { get; private set; } = Task.CompletedTask;

    public ContinuousStatus Status => Source.Status;

    public static TestAgent For(int port, IObjectStore store, Action<RedisOptions>? configure = null, TailTiming? timing = null, TimeProvider? clock = null, string? keys = null,
        AdoptionConsent? consent = null, string? instance = null)
    {
        var options = new RedisOptions { Host = "127.0.0.1", Port = port, Stream = { FlushInterval = TimeSpan.FromMilliseconds(100) } };
        configure?.Invoke(options);
        return new TestAgent(options, store, timing ?? Impatient, clock ?? TimeProvider.System, keys, consent ?? AdoptionConsent.None, instance);
    }

    public static TestAgent Start(int port, IObjectStore store, Action<RedisOptions>? configure = null, TailTiming? timing = null, TimeProvider? clock = null, string? keys = null,
        AdoptionConsent? consent = null, string? instance = null)
    {
        var agent = For(port, store, configure, timing, clock, keys, consent, instance);
        agent.Start();
        return agent;
    }

    public void Start() => Running = Task.Run(() => Source.TailAsync(stopping.Token));

    /// <summary>Waits, and fails at once with the tail's own failure when that ends.</summary>
    public Task UntilAsync(Func<ContinuousStatus, bool> condition, string what, TimeSpan? deadline = null) => Eventually.TrueAsync(
        async () =>
        {
            if (Running.IsCompleted)
            {
                await Running;
            }

            return condition(Status);
        },
        what,
        deadline,
        () => Status.ToString());

    public Task UntilStreamingAsync() => UntilAsync(s => s.IsStreaming, "the tail streams");

    /// <summary>Ends in order, with everything durable that was received.</summary>
    public async Task StopAsync()
    {
        await stopping.CancelAsync();
        await Running;
    }

    /// <summary>As good as SIGKILL: no call reaches the store any more, and the connections close.</summary>
    public async Task AbandonAsync()
    {
        Store.FailFrom(1, Fault.Transient);
        await stopping.CancelAsync();
        await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Alive[identity.Process] = false;
    }

    public Task<Repository.Backups.SealedBackup> TakeAsync() => Source.TakeAsync(new Progress<TransferProgress>(), CancellationToken.None);

    /// <summary>The tail's own failure, when it refuses to go on.</summary>
    public async Task<SourceException> RefusalAsync()
    {
        await Eventually.TrueAsync(() => Running.IsCompleted || Status.IsStreaming, "the tail ends", details: () => Status.ToString());
        Running.IsCompleted.ShouldBeTrue("it streams");
        return await Should.ThrowAsync<SourceException>(() => Running);
    }

    public async Task<RestorePlan> RestoreAsync(string directory, string? to = null, string? backup = null, bool takesPlace = false)
    {
        var plan = await Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = directory, To = to, BackupId = backup, TakesPlace = takesPlace }, CancellationToken.None);
        await Source.RestoreAsync(plan, new Progress<TransferProgress>(), CancellationToken.None);
        return plan;
    }

    public Task<VerifyReport> VerifyAsync() => Source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await AbandonAsync();
        stopping.Dispose();
    }
}
