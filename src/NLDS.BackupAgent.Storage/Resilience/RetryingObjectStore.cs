using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Storage.Resilience;

/// <summary>
/// Any store, made patient. A put whose answer was lost is put again and then finds its own object there, so it returns false: who must know
/// compares the bytes.
/// </summary>
internal sealed class RetryingObjectStore : IObjectStore, IDisposable
{
    /// <summary>What one try lists, and S3's own page.</summary>
    private const int PageSize = 1_000;

    private readonly IObjectStore inner;
    private readonly StorageMetrics metrics;
    private readonly RetryPolicy policy;

    /// <param name="sentAgain">Told of the bytes that a further try sends once more.</param>
    public RetryingObjectStore(
        IObjectStore inner,
        RetryOptions options,
        StorageMetrics metrics,
        ILogger<RetryingObjectStore> logger,
        TimeProvider time,
        Action<long>? sentAgain = null)
    {
        this.inner = inner;
        this.metrics = metrics;
        policy = new RetryPolicy(inner.Description, options, metrics, logger, time, sentAgain);
    }

    public string Description => inner.Description;

    public int PartBytes => inner.PartBytes;

    public int ParallelUploads => inner.ParallelUploads;

    public int ParallelDownloads => inner.ParallelDownloads;

    public bool? RefusesReplacement => inner.RefusesReplacement;

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, Protection.None, cancellationToken);

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken) =>
        policy.RunAsync(Call("put", key, content.Length), token => inner.PutIfAbsentAsync(key, content, protection, token), cancellationToken);

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        policy.RunAsync(Call("replace", key, content.Length), token => inner.ReplaceAsync(key, content, token), cancellationToken);

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        BeginUploadAsync(key, Protection.None, cancellationToken);

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken) =>
        new RetryingUpload(
            await policy.RunAsync(Call("begin", key), token => inner.BeginUploadAsync(key, protection, token), cancellationToken), policy);

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        var body = await policy.RunAsync(Call("get", key), token => inner.OpenReadAsync(key, offset, length, token), cancellationToken);
        return new ResumingReadStream(inner, policy, key, body, offset, length);
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        policy.RunAsync(Call("head", key), token => inner.HeadAsync(key, token), cancellationToken);

    public async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        List<ObjectInfo> page;
        do
        {
            var after = startAfter;
            page = await policy.RunAsync(
                new StoreCall("list", $"'{prefix}*'", Bytes: 0), token => PageAsync(prefix, after, token), cancellationToken);
            foreach (var info in page)
            {
                yield return info;
            }

            startAfter = page.Count > 0 ? page[^1].Key : startAfter;
        }
        while (page.Count == PageSize);
    }

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) =>
        policy.RunAsync(new StoreCall("delete", $"{keys.Count} objects", Bytes: 0), token => inner.DeleteAsync(keys, token), cancellationToken);

    public Task RequireProtectionAsync(CancellationToken cancellationToken) =>
        policy.RunAsync(new StoreCall("locks", "the bucket", Bytes: 0), inner.RequireProtectionAsync, cancellationToken);

    public Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        policy.RunAsync(
            new StoreCall("uploads", "unfinished uploads", Bytes: 0), token => inner.ListUnfinishedUploadsAsync(before, token), cancellationToken);

    public Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) =>
        policy.RunAsync(new StoreCall("abort", $"'{upload.Name}'", Bytes: 0), token => inner.AbortUploadAsync(upload, token), cancellationToken);

    public void Dispose()
    {
        (inner as IDisposable)?.Dispose();
        metrics.Dispose();
    }

    internal static StoreCall Call(string operation, ObjectKey key, long bytes = 0) => new(operation, $"'{key}'", bytes);

    private async Task<List<ObjectInfo>> PageAsync(string prefix, ObjectKey? after, CancellationToken cancellationToken)
    {
        List<ObjectInfo> page = [];
        await foreach (var info in inner.ListAsync(prefix, after, cancellationToken))
        {
            page.Add(info);
            if (page.Count == PageSize)
            {
                break;
            }
        }

        return page;
    }
}
