using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Simulation;

/// <summary>How a store's listings lie.</summary>
internal enum Lie
{
    None,

    /// <summary>As it was some steps ago: what came since is missing, what went since is there.</summary>
    Stale,

    /// <summary>Without the objects that were put last.</summary>
    WithoutNewest,

    /// <summary>Every entry twice, and a page again at the end.</summary>
    Repeated,
}

/// <summary>
/// One process's way to the store. Calls fail by the weather, listings lie, and the process dies at whichever call it is told to: that one takes effect or not, and
/// none comes after it. What happens to a call depends on the seed, the step, the operation, the key and how often it was tried, not on which thread was first.
/// </summary>
internal sealed class AgentStore(WatchedStore inner, SimulatedAgent agent, int seed) : IObjectStore
{
    private readonly ConcurrentDictionary<(string, string), int> tries = [];
    private volatile bool dead;
    private int calls;
    private int step;
    private int deathAt = int.MaxValue;

    public string Description => "the simulated store";

    /// <summary>Of a hundred calls so many fail in this step, each kind of fault as likely as any other; 100 for a storm.</summary>
    public int FaultsPerHundred { get; private set; }

    public Lie Lie { get; private set; }

    /// <summary>Not even the lease can be renewed.</summary>
    public bool IsCutOff { get; set; }

    public bool IsDead => dead;

    public int Calls => Volatile.Read(ref calls);

    public void Begin(int number, int faultsPerHundred, Lie lie)
    {
        (step, FaultsPerHundred, Lie) = (number, faultsPerHundred, lie);
        tries.Clear();
    }

    /// <summary>The process dies at its next call but so many.</summary>
    public void DieAt(int call) => Volatile.Write(ref deathAt, Calls + call);

    /// <summary>SIGKILL: no call from now on has any effect.</summary>
    public void Die() => dead = true;

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        CallAsync("put", key.Value, () => inner.PutIfAbsentAsync(agent, key, content), cancellationToken);

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        CallAsync("replace", key.Value, () => inner.ReplaceAsync(agent, key, content), cancellationToken);

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        IObjectUpload? begun = null;
        await CallAsync("begin", key.Value, async () => (begun = await inner.BeginUploadAsync(key)) is not null, cancellationToken);
        return new Upload(this, begun!);
    }

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        Stream? body = null;
        var breaksOff = false;
        await CallAsync("get", key.Value, async () => (body = await inner.OpenReadAsync(key, offset, length)) is not null, cancellationToken, () => breaksOff = true);
        return breaksOff ? await HalfBodyStream.OfAsync(body!, cancellationToken) : body!;
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => CallAsync("head", key.Value, () => inner.HeadAsync(key), cancellationToken);

    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var lie = IsOfLease(prefix) ? Lie.None : Lie;
        var page = await CallAsync("list", prefix, () => Task.FromResult(inner.List(prefix, startAfter, lie)), cancellationToken);
        for (var i = 0; i < page.Count; i++)
        {
            // A listing of many pages breaks off in the middle as well as at its beginning.
            if (i == page.Count / 2 && i > 0)
            {
                await CallAsync("list on", prefix, () => Task.FromResult(true), cancellationToken);
            }

            yield return page[i];
        }
    }

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        var first = keys.Select(key => key.Value).FirstOrDefault() ?? "";
        return CallAsync("delete", first, () => inner.DeleteAsync(agent, keys, Fails("half", first) is not null), cancellationToken);
    }

    private static bool IsOfLease(string key) => key.Contains("/lease/", StringComparison.Ordinal);

    private Task<bool> CallAsync(string operation, string key, Func<Task> call, CancellationToken cancellationToken) => CallAsync(
        operation,
        key,
        async () =>
        {
            await call();
            return true;
        },
        cancellationToken);

    private async Task<T> CallAsync<T>(string operation, string key, Func<Task<T>> call, CancellationToken cancellationToken, Action? breakOff = null)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (dead)
        {
            throw Gone();
        }

        var fault = Fails(operation, key);
        if (Interlocked.Increment(ref calls) >= Volatile.Read(ref deathAt))
        {
            var takesEffect = Roll("death", key) % 2 == 0;
            dead = true;
            if (takesEffect)
            {
                await call();
            }

            throw Gone();
        }

        switch (fault)
        {
            case null:
                return await call();
            case Fault.HalfBody when breakOff is not null:
                breakOff();
                return await call();
            case Fault.LostAnswer or Fault.Hang:
                // A time-out: it may have been done, and nobody knows.
                await call();
                break;
        }

        throw new ObjectStoreException($"An injected fault ({fault}) of {operation} '{key}'.", isPermanent: fault == Fault.Permanent);
    }

    private static ObjectStoreException Gone() => new("This process is dead.", isPermanent: true);

    private Fault? Fails(string operation, string key)
    {
        if (IsCutOff)
        {
            return Fault.Transient;
        }

        var dice = Roll(operation, key);
        return !IsOfLease(key) && dice % 100 < (uint)FaultsPerHundred ? (Fault)(dice / 100 % 5) : null;
    }

    private uint Roll(string operation, string key)
    {
        var attempt = tries.AddOrUpdate((operation, key), 1, (_, before) => before + 1);
        var hash = 2_166_136_261u;
        foreach (var character in $"{seed} {step} {operation} {key} {attempt}")
        {
            hash = (hash ^ character) * 16_777_619;
        }

        hash ^= hash >> 15;
        hash *= 0x2c1b3c6d;
        return hash ^ (hash >> 12);
    }

    private sealed class Upload(AgentStore store, IObjectUpload begun) : IObjectUpload
    {
        public ObjectKey Key => begun.Key;

        public Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            store.CallAsync("part", $"{Key} {number}", () => begun.PutPartAsync(number, offset, content, cancellationToken), cancellationToken);

        public Task<bool> CompleteAsync(CancellationToken cancellationToken) =>
            store.CallAsync("complete", Key.Value, () => store.Complete(begun, cancellationToken), cancellationToken);

        public ValueTask DisposeAsync() => begun.DisposeAsync();
    }

    private Task<bool> Complete(IObjectUpload begun, CancellationToken cancellationToken) => inner.CompleteAsync(agent, begun, cancellationToken);
}
