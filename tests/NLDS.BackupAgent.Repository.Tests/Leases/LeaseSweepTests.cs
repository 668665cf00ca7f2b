using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Repository.Tests.Leases;

/// <summary>A lease that is taken from one who died, renewed, asked for and given back, broken at each call to the store.</summary>
public sealed class LeaseSweepTests
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_lease_is_had_again_whatever_became_of_the_one_who_asked_before(Way way) =>
        (await new Sweep(new Succession()) { Samples = int.MaxValue }.RunAsync(way)).ShouldBeGreaterThan(4);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_lease_whose_renewal_broke_is_renewed_again_or_had_by_the_next(Way way) =>
        (await new Sweep(new Renewal()) { Samples = 12 }.RunAsync(way)).ShouldBeGreaterThan(4);

    /// <summary>The lease is used when it has been renewed some times.</summary>
    private sealed class Renewal : Succession
    {
        /// <summary>A renewal puts and lists.</summary>
        private const int CallsOfSomeRenewals = 12;

        protected override LeaseTiming Timing { get; } = FarewellSoon with { Beat = TimeSpan.FromMilliseconds(10), BeatAgain = TimeSpan.FromMilliseconds(10) };

        /// <summary>Calls that fail are calls too, so this ends whatever becomes of the store; a holder that has lost it asks no more.</summary>
        protected override Task BeforeUseAsync(FaultyObjectStore store, WriterLease lease, CancellationToken cancellationToken)
        {
            var until = store.Calls + CallsOfSomeRenewals;
            return Eventually.TrueAsync(() => store.Calls >= until || !lease.IsHeld || cancellationToken.IsCancellationRequested, "the lease is renewed");
        }
    }

    private class Succession : SweptOperation
    {
        protected static readonly LeaseTiming FarewellSoon = LeaseTiming.Default with { Fresh = TimeSpan.Zero, Farewell = TimeSpan.FromMilliseconds(50) };

        private readonly Machine machine = new("one");
        private int processes;

        protected virtual LeaseTiming Timing => FarewellSoon;

        public override async Task<MemoryObjectStore> PrepareAsync()
        {
            var store = new MemoryObjectStore();
            var (lease, process) = Lease(store);
            (await lease.TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();
            machine.Running.Remove(process);
            return store;
        }

        public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
        {
            var (lease, process) = Lease(store);
            try
            {
                await using var hold = await lease.HoldAsync(cancellationToken);
                await BeforeUseAsync(store, lease, cancellationToken);
                await lease.RequireAsync(cancellationToken);
                await lease.Fence(store).PutIfAbsentAsync(new ObjectKey("postgres/wal/written"), "x"u8.ToArray(), cancellationToken);
                hold.IsLost.ShouldBeFalse();
            }
            finally
            {
                machine.Running.Remove(process);
            }
        }

        public override async Task RequireDoneAsync(IObjectStore store)
        {
            (await store.HeadAsync(new ObjectKey("postgres/wal/written"), CancellationToken.None)).ShouldNotBeNull();

            // Whether it was given back or its holder died, the next one need not wait.
            var (lease, _) = Lease(store);
            await using var hold = (await lease.TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();
        }

        protected virtual Task BeforeUseAsync(FaultyObjectStore store, WriterLease lease, CancellationToken cancellationToken) => Task.CompletedTask;

        private (WriterLease Lease, ProcessIdentity Process) Lease(IObjectStore store)
        {
            var process = new ProcessIdentity($"boot of {machine.Name}", "pid:[1]", ++processes, 1);
            machine.Running.Add(process);
            return (new WriterLease(store, "postgres", new AgentIdentity("agent", machine.Name, process), Timing, machine.IsAlive, TimeProvider.System, NullLogger.Instance), process);
        }
    }
}
