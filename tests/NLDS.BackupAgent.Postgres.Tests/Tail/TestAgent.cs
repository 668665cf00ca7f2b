using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

/// <summary>An agent in this process: the real classes between a real server and a store whose faults a test chooses.</summary>
internal sealed class TestAgent : IAsyncDisposable
{
    /// <summary>The pauses of a test, which has no load to spare anybody.</summary>
    public static readonly TailTiming Impatient = new()
    {
        FirstPause = TimeSpan.FromMilliseconds(50),
        LongestPause = TimeSpan.FromMilliseconds(400),
        PauseAfterShutdown = TimeSpan.FromMilliseconds(200),
    };

    /// <summary>The processes of the machine on which all of a test's agents run, and which of them are gone.</summary>
    private static readonly ConcurrentDictionary<ProcessIdentity, bool> Alive = [];

    private static int processes;

    private readonly CancellationTokenSource stopping = new();
    private readonly AgentIdentity identity;

    private TestAgent(PostgresOptions options, IObjectStore store, TailTiming timing, AdoptionConsent consent, TimeSpan patience, bool creates)
    {
        Options = options;
        Store = new FaultyObjectStore(store);
        Repository = new BackupRepository(Store, new RepositoryOptions { CompressionLevel = 1, Create = creates }, TimeProvider.System);
        Catalog = new PostgresCatalog(Repository);
        Sql = new PostgresSql(options);
        var number = Interlocked.Increment(ref processes);
        identity = new AgentIdentity($"agent {number}", "test", new ProcessIdentity("test", "pid:[1]", number, 1));
        Alive[identity.Process] = true;
        Leases = new WriterLeases(Repository, identity, LeaseTiming.Default with { Fresh = TimeSpan.Zero }, process => Alive[process], NullLogger<WriterLeases>.Instance);
        var guard = new LineageGuard(Catalog, consent, identity, TimeProvider.System, NullLogger<LineageGuard>.Instance);
        Tail = new WalTail(options, Catalog, Sql, Leases, guard, TimeProvider.System, new LoggerFactory([Log]).CreateLogger<WalTail>()) { Timing = timing };
        var coverage = new WalCoverage(options, Tail, Catalog, Sql, Leases, TimeProvider.System, NullLogger<WalCoverage>.Instance) { Patience = patience };
        var parents = new IncrementalParents(options, Repository, Catalog, TimeProvider.System);
        Taker = new BaseBackupTaker(options, Repository, Catalog, Sql, coverage, guard, parents, TimeProvider.System, NullLogger<BaseBackupTaker>.Instance);
    }

    public PostgresOptions Options { get; }

    public FaultyObjectStore Store { get; }

    public BackupRepository Repository { get; }

    public PostgresCatalog Catalog { get; }

    public PostgresSql Sql { get; }

    public WriterLeases Leases { get; }

    public WalTail Tail { get; }

    public BaseBackupTaker Taker { get; }

    public Task Running { get; private set; } = Task.CompletedTask;

    public ContinuousStatus Status => Tail.State.Read();

    /// <summary>What the tail has logged. An error that it has got over by itself is found only here.</summary>
    public CollectedLog Log { get; } = new();

    public Lsn Durable => new(Status.DurablePosition ?? 0);

    /// <summary>An agent that does not tail yet.</summary>
    public static TestAgent For(
        PostgresServer server, IObjectStore store, Action<PostgresOptions>? configure = null, TailTiming? timing = null, AdoptionConsent? consent = null,
        TimeSpan? patience = null, bool creates = true)
    {
        var options = new PostgresOptions
        {
            Host = server.Host,
            Port = server.Port,
            Username = PostgresServer.BackupRole,
            Password = PostgresServer.BackupPassword,
            SslMode = "disable",
            Wal = { FlushInterval = TimeSpan.FromMilliseconds(100) },
        };
        configure?.Invoke(options);
        return new TestAgent(options, store, timing ?? Impatient, consent ?? AdoptionConsent.None, patience ?? TimeSpan.FromMinutes(5), creates);
    }

    public static TestAgent Start(
        PostgresServer server, IObjectStore store, Action<PostgresOptions>? configure = null, TailTiming? timing = null, AdoptionConsent? consent = null)
    {
        var agent = For(server, store, configure, timing, consent);
        agent.Start();
        return agent;
    }

    public void Start() => Running = Task.Run(() => Tail.RunAsync(stopping.Token));

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

    public Task UntilDurableAsync(Lsn position) => UntilAsync(s => s.DurablePosition >= position.Value, $"WAL up to {position} is durable");

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
        Alive[identity.Process] = false;
        await stopping.CancelAsync();
        await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>The refusal that ends the tail.</summary>
    public async Task<SourceException> RefusalAsync() =>
        await Should.ThrowAsync<SourceException>(() => Running.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System));

    public async ValueTask DisposeAsync()
    {
        await AbandonAsync();
        stopping.Dispose();
    }
}
