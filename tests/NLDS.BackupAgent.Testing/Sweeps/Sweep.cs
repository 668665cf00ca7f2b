using System.Collections.Concurrent;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Testing.Sweeps;

/// <summary>
/// Breaks an operation at its first call to the store, at its second, and so on until it ends before the broken one. Behind each the repository must be sound, another
/// run must succeed, and its outcome be the model. With <c>NLDS_LONG=1</c> every call is broken; otherwise some, spread over all of them.
/// </summary>
public sealed class Sweep(SweptOperation operation)
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("NLDS_LONG") == "1";

    /// <summary>What is done to its end even when the operation is stopped waits as long as the store does.</summary>
    private static readonly TimeSpan HangBound = TimeSpan.FromMilliseconds(300);

    /// <summary>What was counted of each operation; once is enough.</summary>
    private static readonly ConcurrentDictionary<Type, Lazy<Task<int>>> Counted = [];

    /// <summary>How many calls are broken in each way, unless all are.</summary>
    public int Samples { get; init; } = 3;

    /// <returns>How many attempts were broken.</returns>
    public async Task<int> RunAsync(Way way)
    {
        var calls = await Counted.GetOrAdd(operation.GetType(), _ => new(CountCallsAsync)).Value;
        var attempts = 0;
        if (IsLong || Samples >= calls)
        {
            for (; await TryAsync(way, attempts + 1, calls); attempts++)
            {
            }

            return attempts;
        }

        foreach (var chosen in Chosen(way, calls))
        {
            // On another day it comes to fewer calls, a tail's confirmations for example: then half as far.
            var call = chosen;
            while (!await TryAsync(way, call, calls) && call > 1)
            {
                call /= 2;
            }

            attempts++;
        }

        return attempts;
    }

    private async Task<bool> TryAsync(Way way, int call, int calls)
    {
        try
        {
            return await BreakAsync(way, call);
        }
        catch (Exception failure)
        {
            throw new SweepException($"{operation.GetType().Name}, {way} at call {call} of about {calls}: {failure.Message}", failure);
        }
    }

    private async Task<int> CountCallsAsync()
    {
        using var store = new FaultyObjectStore(await operation.PrepareAsync());
        using var limit = new CancellationTokenSource(operation.Bound, TimeProvider.System);
        await operation.RunAsync(store, isForEver: false, limit.Token);
        return store.Calls;
    }

    /// <summary>Evenly spread, and not the same ones for each way.</summary>
    private IEnumerable<int> Chosen(Way way, int calls) =>
        Enumerable.Range(0, Samples).Select(sample => 1 + (((sample * Ways.All.Count) + (int)way) * calls / (Samples * Ways.All.Count)));

    /// <returns>Whether the operation came to that call.</returns>
    private async Task<bool> BreakAsync(Way way, int at)
    {
        var inner = await operation.PrepareAsync();
        using var store = new FaultyObjectStore(inner) { HangBound = HangBound };
        using var given = new CancellationTokenSource();
        var reached = false;
        store.FailWhen((call, _) =>
        {
            reached |= call >= at;
            if (call >= at && way.EndsIt())
            {
                // Not from within the call: what waits for the token would run here.
                given.CancelAfter(TimeSpan.Zero);
            }

            return way.Of(call, at);
        });

        var failure = await RunBoundedAsync(store, way.IsForEver(), given);
        RequireDocumented(failure, mayBeStopped: given.IsCancellationRequested);
        await store.HealAsync();
        await RepositoryInvariants.RequireAsync(inner);
        await operation.RequireUnbrokenAsync(inner);

        // What was done by a listing that lacked something may lack it too.
        if (failure is not null || way == Way.StaleListing)
        {
            using var limit = new CancellationTokenSource(operation.Bound, TimeProvider.System);
            await operation.RunAsync(store, isForEver: false, limit.Token);
            await RepositoryInvariants.RequireAsync(inner);
        }

        await operation.RequireDoneAsync(inner);
        return reached;
    }

    private async Task<Exception?> RunBoundedAsync(FaultyObjectStore store, bool isForEver, CancellationTokenSource given)
    {
        try
        {
            await operation.RunAsync(store, isForEver, given.Token).WaitAsync(operation.Bound, TimeProvider.System);
            return null;
        }
        catch (TimeoutException)
        {
            throw new SweepException($"It hangs: no end within {operation.Bound}.");
        }
        catch (Exception failure)
        {
            return failure;
        }
    }

    private static void RequireDocumented(Exception? failure, bool mayBeStopped)
    {
        var isDocumented = failure is null or ObjectStoreException or SourceException or NotRestorableException or UsageException
            || (failure is OperationCanceledException && mayBeStopped);
        if (!isDocumented)
        {
            throw new SweepException($"It ended with what nobody may show to an operator: {failure!.GetType().Name}: {failure.Message}", failure);
        }
    }
}

/// <summary>What a sweep found.</summary>
public sealed class SweepException(string message, Exception? inner = null) : Exception(message, inner);
