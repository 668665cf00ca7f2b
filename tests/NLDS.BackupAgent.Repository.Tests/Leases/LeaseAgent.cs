using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Leases;

/// <summary>An agent on a machine of its own: its clock and its way to the store are nobody else's.</summary>
internal sealed class LeaseAgent
{
    private static int processes;

    public LeaseAgent(IObjectStore store, string name, Machine? machine = null)
    {
        Machine = machine ?? new Machine(name);
        Process = new ProcessIdentity($"boot of {Machine.Name}", "pid:[1]", Interlocked.Increment(ref processes), 1);
        Machine.Running.Add(Process);
        Store = new FaultyObjectStore(store);
        Lease = new WriterLease(
            Store, "postgres", new AgentIdentity(name, Machine.Name, Process), LeaseTiming.Default, Machine.IsAlive, Clock, NullLogger.Instance);
    }

    public Machine Machine { get; }

    public ProcessIdentity Process { get; }

    public ManualClock Clock { get; } = new();

    public FaultyObjectStore Store { get; }

    public WriterLease Lease { get; }

    public async Task<LeaseHold> TakeAsync() => (await Lease.TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();

    public async Task<LeaseRefusal> RefusalAsync() => (await Lease.TryHoldAsync(CancellationToken.None)).Refusal.ShouldNotBeNull();

    /// <summary>As SIGKILL: nothing is written any more, and the machine knows.</summary>
    public void Kill()
    {
        Store.FailFrom(1, Fault.Transient);
        Machine.Running.Remove(Process);
    }

    /// <summary>Lets time pass until the next beat has been written.</summary>
    public async Task BeatAsync(IObjectStore store)
    {
        var before = await BeatsAsync(store);
        await Clock.WaitForTimerAsync(LeaseTiming.Default.Beat);
        Clock.Advance(LeaseTiming.Default.Beat);
        await Eventually.TrueAsync(async () => await BeatsAsync(store) != before, "the holder beats");
    }

    private static async Task<string> BeatsAsync(IObjectStore store)
    {
        var found = "";
        await foreach (var entry in store.ListAsync("postgres/lease/", null, CancellationToken.None))
        {
            found += entry.Key.Value.EndsWith(".beat.json", StringComparison.Ordinal)
                ? Convert.ToHexString(await store.ReadAllAsync(entry.Key, CancellationToken.None))
                : "";
        }

        return found;
    }
}

/// <summary>What a machine knows of its own processes.</summary>
internal sealed class Machine(string name)
{
    public string Name { get; } = name;

    public HashSet<ProcessIdentity> Running { get; } = [];

    public bool? IsAlive(ProcessIdentity process) => process.BootId == $"boot of {Name}" ? Running.Contains(process) : null;
}
