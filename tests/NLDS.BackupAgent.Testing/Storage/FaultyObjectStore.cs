using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Testing.Storage;

/// <summary>
/// A store whose chosen calls go wrong. All calls are counted from 1, those of its uploads and each listing among them; reads of an open body are not.
/// </summary>
public sealed class FaultyObjectStore(IObjectStore inner) : IObjectStore, IDisposable
{
    /// <summary>A late request arrives behind so many calls: a retry, and what comes of it.</summary>
    private const int LateBy = 3;

    /// <summary>How many objects a stale listing misses.</summary>
    private const int Unseen = 3;

    private readonly SemaphoreSlim hung = new(0);
    private readonly ConcurrentQueue<(int Behind, Func<Task> Arrive)> onTheWay = [];
    private Func<int, string, Fault?> plan = (_, _) => null;
    private int calls;

    public string Description => inner.Description;

    public int PartBytes => inner.PartBytes;

    public int ParallelUploads => inner.ParallelUploads;

    public int ParallelDownloads => inner.ParallelDownloads;

    public bool? RefusesReplacement => inner.RefusesReplacement;

    /// <summary>How many calls were made.</summary>
    public int Calls => Volatile.Read(ref calls);

    /// <summary>When a call that hangs fails, as by a store's own time-out; never unless said.</summary>
    public TimeSpan HangBound { get; init; } = Timeout.InfiniteTimeSpan;

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

    /// <summary>No further call fails, and what was late arrives.</summary>
    public async Task HealAsync()
    {
        plan = (_, _) => null;
        await ArriveAsync(int.MaxValue);
    }

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, Protection.None, cancellationToken);

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken) =>
        ChangeAsync("put", content, (bytes, token) => inner.PutIfAbsentAsync(key, bytes, protection, token), cancellationToken);

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        ChangeAsync("replace", content, (bytes, token) => inner.ReplaceAsync(key, bytes, token), cancellationToken);

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        BeginUploadAsync(key, Protection.None, cancellationToken);

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken) =>
        new FaultyUpload(this, await ChangeAsync("begin", default, (_, token) => inner.BeginUploadAsync(key, protection, token), cancellationToken));

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        var fault = await NextFaultAsync("get");
        if (fault is not (null or Fault.HalfBody or Fault.Stale))
        {
            await FailAsync(fault.Value, cancellationToken);
        }

        var body = await inner.OpenReadAsync(key, offset, length, cancellationToken);
        return fault == Fault.HalfBody ? await HalfBodyStream.OfAsync(body, cancellationToken) : body;
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        AskAsync("head", () => inner.HeadAsync(key, cancellationToken), cancellationToken);

    public async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var fault = await NextFaultAsync("list");
        if (fault is not (null or Fault.Stale or Fault.HalfBody))
        {
            await FailAsync(fault.Value, cancellationToken);
        }

        var unseen = fault == Fault.Stale ? await NewestAsync(cancellationToken) : [];
        var left = fault == Fault.HalfBody ? (await AllAsync(prefix, startAfter, cancellationToken)).Count / 2 : int.MaxValue;
        await foreach (var info in inner.ListAsync(prefix, startAfter, cancellationToken))
        {
            if (left-- == 0)
            {
                break;
            }

            if (!unseen.Contains(info.Key))
            {
                yield return info;
            }
        }

        if (fault == Fault.HalfBody)
        {
            await FailAsync(Fault.HalfBody, cancellationToken);
        }
    }

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) =>
        ChangeAsync("delete", default, (_, token) => inner.DeleteAsync(keys, token), cancellationToken);

    public Task RequireProtectionAsync(CancellationToken cancellationToken) =>
        ChangeAsync("locks", default, (_, token) => inner.RequireProtectionAsync(token), cancellationToken);

    public Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        AskAsync("uploads", () => inner.ListUnfinishedUploadsAsync(before, cancellationToken), cancellationToken);

    public Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) =>
        ChangeAsync("abort", default, (_, token) => inner.AbortUploadAsync(upload, token), cancellationToken);

    public void Dispose()
    {
        (inner as IDisposable)?.Dispose();
        hung.Dispose();
    }

    internal async Task<T> ChangeAsync<T>(
        string operation, ReadOnlyMemory<byte> content, Func<ReadOnlyMemory<byte>, CancellationToken, Task<T>> change, CancellationToken cancellationToken)
    {
        switch (await NextFaultAsync(operation))
        {
            case null or Fault.Stale:
                return await change(content, cancellationToken);
            case Fault.LostAnswer:
                await change(content, cancellationToken);
                return await FailAsync<T>(Fault.LostAnswer, cancellationToken);
            case Fault.Late:
                var sent = content.ToArray();
                onTheWay.Enqueue((Calls + LateBy, () => change(sent, CancellationToken.None)));
                return await FailAsync<T>(Fault.Late, cancellationToken);
            case { } fault:
                return await FailAsync<T>(fault, cancellationToken);
        }
    }

    internal Task ChangeAsync(
        string operation, ReadOnlyMemory<byte> content, Func<ReadOnlyMemory<byte>, CancellationToken, Task> change, CancellationToken cancellationToken) =>
        ChangeAsync(
            operation,
            content,
            async (bytes, token) =>
            {
                await change(bytes, token);
                return true;
            },
            cancellationToken);

    private async Task<T> AskAsync<T>(string operation, Func<Task<T>> ask, CancellationToken cancellationToken) =>
        await NextFaultAsync(operation) is { } fault and not Fault.Stale ? await FailAsync<T>(fault, cancellationToken) : await ask();

    private async Task<Fault?> NextFaultAsync(string operation)
    {
        var call = Interlocked.Increment(ref calls);
        await ArriveAsync(call);
        return plan(call, operation);
    }

    private async Task ArriveAsync(int call)
    {
        while (onTheWay.TryPeek(out var late) && late.Behind < call && onTheWay.TryDequeue(out late))
        {
            try
            {
                await late.Arrive();
            }
            catch (Exception refused) when (refused is ObjectStoreException or ObjectNotFoundException or InvalidOperationException)
            {
                // Nobody waits for this answer any more.
            }
        }
    }

    private async Task<HashSet<ObjectKey>> NewestAsync(CancellationToken cancellationToken) =>
        [.. (await AllAsync("", null, cancellationToken)).OrderBy(info => info.LastModified).TakeLast(Unseen).Select(info => info.Key)];

    private async Task<List<ObjectInfo>> AllAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken)
    {
        List<ObjectInfo> all = [];
        await foreach (var info in inner.ListAsync(prefix, startAfter, cancellationToken))
        {
            all.Add(info);
        }

        return all;
    }

    private async Task<T> FailAsync<T>(Fault fault, CancellationToken cancellationToken)
    {
        await FailAsync(fault, cancellationToken);
        throw new InvalidOperationException("A fault that does not fail.");
    }

    private async Task FailAsync(Fault fault, CancellationToken cancellationToken)
    {
        if (fault == Fault.Hang)
        {
            hung.Release();
            await Task.Delay(HangBound, TimeProvider.System, cancellationToken);
        }

        throw new ObjectStoreException($"An injected fault ({fault}).", isPermanent: fault == Fault.Permanent);
    }
}
