using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Testing.Storage;

/// <summary>
/// A store whose chosen calls go wrong. All calls are counted from 1, those of its uploads and each listing among them; reads of an open body are not.
/// </summary>
public sealed class FaultyObjectStore(IObjectStore inner) : IObjectStore, IDisposable
{
    private Func<int, string, Fault?> plan = (_, _) => null;
    private readonly SemaphoreSlim hung = new(0);
    private int calls;

    public string Description => inner.Description;

    public int PartBytes => inner.PartBytes;

    public int ParallelUploads => inner.ParallelUploads;

    public int ParallelDownloads => inner.ParallelDownloads;

    public bool? RefusesReplacement => inner.RefusesReplacement;

    /// <summary>How many calls were made.</summary>
    public int Calls => Volatile.Read(ref calls);

    /// <summary>Completes once for each call that has begun to hang.</summary>
    public Task WaitForHangAsync() => hung.WaitAsync();

    /// <summary>Fails the one call with this number, counted from now.</summary>
    public void FailCall(int number, Fault fault) => FailWhen((call, _) => call == number ? fault : null);

    /// <summary>Fails all calls from this number on, counted from now.</summary>
    public void FailFrom(int number, Fault fault) => FailWhen((call, _) => call >= number ? fault : null);

    /// <param name="faults">Given the call's number and its operation (put, replace, begin, part, complete, get, head, list, delete, locks, uploads, abort).</param>
    public void FailWhen(Func<int, string, Fault?> faults)
    {
        Volatile.Write(ref calls, 0);
        plan = faults;
    }

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, Protection.None, cancellationToken);

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken) =>
        CallAsync("put", () => inner.PutIfAbsentAsync(key, content, protection, cancellationToken), cancellationToken);

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        CallAsync("replace", () => inner.ReplaceAsync(key, content, cancellationToken), cancellationToken);

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        BeginUploadAsync(key, Protection.None, cancellationToken);

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken)
    {
        IObjectUpload? begun = null;
        await CallAsync("begin", async () => begun = await inner.BeginUploadAsync(key, protection, cancellationToken), cancellationToken);
        return new FaultyUpload(this, begun!);
    }

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        var fault = NextFault("get");
        if (fault is not null and not Fault.HalfBody)
        {
            await FailAsync(fault.Value, cancellationToken);
        }

        var body = await inner.OpenReadAsync(key, offset, length, cancellationToken);
        return fault is null ? body : await HalfBodyStream.OfAsync(body, cancellationToken);
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        CallAsync("head", () => inner.HeadAsync(key, cancellationToken), cancellationToken);

    public async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await CallAsync("list", () => Task.CompletedTask, cancellationToken);
        await foreach (var info in inner.ListAsync(prefix, startAfter, cancellationToken))
        {
            yield return info;
        }
    }

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) =>
        CallAsync("delete", () => inner.DeleteAsync(keys, cancellationToken), cancellationToken);

    public Task RequireProtectionAsync(CancellationToken cancellationToken) =>
        CallAsync("locks", () => inner.RequireProtectionAsync(cancellationToken), cancellationToken);

    public Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        CallAsync("uploads", () => inner.ListUnfinishedUploadsAsync(before, cancellationToken), cancellationToken);

    public Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) =>
        CallAsync("abort", () => inner.AbortUploadAsync(upload, cancellationToken), cancellationToken);

    public void Dispose()
    {
        (inner as IDisposable)?.Dispose();
        hung.Dispose();
    }

    internal async Task<T> CallAsync<T>(string operation, Func<Task<T>> call, CancellationToken cancellationToken)
    {
        var fault = NextFault(operation);
        if (fault is null)
        {
            return await call();
        }

        if (fault == Fault.LostAnswer)
        {
            await call();
        }

        await FailAsync(fault.Value, cancellationToken);
        throw new InvalidOperationException("A fault that does not fail.");
    }

    internal Task CallAsync(string operation, Func<Task> call, CancellationToken cancellationToken) =>
        CallAsync(
            operation,
            async () =>
            {
                await call();
                return true;
            },
            cancellationToken);

    private Fault? NextFault(string operation) => plan(Interlocked.Increment(ref calls), operation);

    private async Task FailAsync(Fault fault, CancellationToken cancellationToken)
    {
        if (fault == Fault.Hang)
        {
            hung.Release();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }

        throw new ObjectStoreException($"An injected fault ({fault}).", isPermanent: fault == Fault.Permanent);
    }
}
