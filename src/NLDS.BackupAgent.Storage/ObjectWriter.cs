using System.Runtime.ExceptionServices;

namespace NLDS.BackupAgent.Storage;

/// <summary>
/// Writes one object of unknown length in bounded memory: what fits one part goes up as a single put, anything longer as a multipart upload with
/// at most <c>parallelParts</c> parts on their way; it holds one part more, the one being filled (<see cref="PartGrowth"/> has the figures). After a failure every further call throws it again.
/// Disposing without <see cref="SealAsync"/> abandons the object. For one caller at a time.
/// </summary>
public sealed class ObjectWriter : IAsyncDisposable
{
    /// <summary>S3's limit on the number of parts of one object.</summary>
    public const int MaximumParts = 10_000;

    /// <summary>S3's lower limit on every part but the last.</summary>
    public const int MinimumPartBytes = 5 << 20;

    /// <summary>The smallest that S3 takes: three of them are in memory for each object that is being written.</summary>
    public const int DefaultPartBytes = MinimumPartBytes;

    private const int SmallestBuffer = 64 << 10;
    private const int BufferGrowth = 8;

    private readonly IObjectStore store;
    private readonly PartGrowth growth;
    private readonly Protection protection;
    private readonly CancellationTokenSource abandoned = new();
    private readonly List<Task> parts = [];
    private IObjectUpload? upload;
    private byte[] buffer = [];
    private int filled;
    private int nextPart = 1;
    private long offset;
    private ExceptionDispatchInfo? failure;
    private bool ended;
    private bool disposed;

    /// <param name="partBytes">Length of the first parts; the store's own preference when null.</param>
    /// <param name="parallelParts">The store's own preference when null.</param>
    /// <param name="protection">Whether the object is final.</param>
    public ObjectWriter(
        IObjectStore store, ObjectKey key, int? partBytes = null, int? parallelParts = null, Protection protection = Protection.None)
    {
        growth = new PartGrowth(partBytes ?? store.PartBytes, parallelParts ?? store.ParallelUploads);
        ArgumentOutOfRangeException.ThrowIfLessThan(growth.FirstBytes, MinimumPartBytes, nameof(partBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(growth.FirstParallel, 1, nameof(parallelParts));
        this.store = store;
        this.protection = protection;
        Key = key;
    }

    public ObjectKey Key { get; }

    /// <summary>Bytes written so far.</summary>
    public long Length => offset + filled;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        while (!bytes.IsEmpty)
        {
            if (filled == CurrentPartBytes)
            {
                await OrFailAsync(SendPartAsync(cancellationToken));
            }

            var count = Math.Min(bytes.Length, CurrentPartBytes - filled);
            Reserve(filled + count);
            bytes[..count].CopyTo(buffer.AsMemory(filled));
            filled += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Makes the object durable and visible. False when an object of this name existed; then nothing has changed there.</summary>
    public async Task<bool> SealAsync(CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        var created = upload is null
            ? store.PutIfAbsentAsync(Key, buffer.AsMemory(0, filled), protection, cancellationToken)
            : CompleteAsync(cancellationToken);
        await OrFailAsync(created);
        ended = true;
        return await created;
    }

    public async ValueTask DisposeAsync()
    {
        if (disposed)
        {
            return;
        }

        ended = disposed = true;
        await abandoned.CancelAsync();
        await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (upload is not null)
        {
            await upload.DisposeAsync();
        }

        PartBuffers.Shared.Return(buffer);
        buffer = [];
        filled = 0;
        abandoned.Dispose();
    }

    private int CurrentPartBytes => growth.BytesOf(nextPart);

    private void ThrowIfUnusable()
    {
        failure?.Throw();
        ObjectDisposedException.ThrowIf(ended, this);
    }

    /// <summary>A failure is final: what was being sent is lost, so going on would leave a hole.</summary>
    private async Task OrFailAsync(Task step)
    {
        try
        {
            await step;
        }
        catch (Exception thrown)
        {
            failure = ExceptionDispatchInfo.Capture(thrown);
            throw;
        }
    }

    private async Task<bool> CompleteAsync(CancellationToken cancellationToken)
    {
        if (filled > 0)
        {
            await SendPartAsync(cancellationToken);
        }

        while (parts.Count > 0)
        {
            await ReapPartAsync(cancellationToken);
        }

        return await upload!.CompleteAsync(cancellationToken);
    }

    private async Task SendPartAsync(CancellationToken cancellationToken)
    {
        if (nextPart > MaximumParts)
        {
            throw new ObjectStoreException(
                $"The object '{Key}' has grown past {growth.LargestObject >> 30} GiB, which is {MaximumParts} parts. Set a larger Storage:S3:PartSizeBytes.",
                isPermanent: true);
        }

        upload ??= await store.BeginUploadAsync(Key, protection, cancellationToken);
        while (parts.Count >= growth.ParallelAt(nextPart))
        {
            await ReapPartAsync(cancellationToken);
        }

        var (number, at, rented, count) = (nextPart, offset, buffer, filled);
        nextPart++;
        offset += filled;
        buffer = [];
        filled = 0;

        // On the pool, because a store hashes a part before it first waits, and the writer has other work meanwhile. No token: the buffer must come back.
        parts.Add(Task.Run(() => PutPartAsync(upload, number, at, rented, count, cancellationToken), CancellationToken.None));
    }

    /// <summary>Waits for whichever part ends first and lets its failure surface at once.</summary>
    private async Task ReapPartAsync(CancellationToken cancellationToken)
    {
        var first = await Task.WhenAny(parts).WaitAsync(cancellationToken);
        parts.Remove(first);
        await first;
    }

    private async Task PutPartAsync(IObjectUpload target, int number, long at, byte[] rented, int count, CancellationToken cancellationToken)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, abandoned.Token);
            await target.PutPartAsync(number, at, rented.AsMemory(0, count), either.Token);
        }
        finally
        {
            PartBuffers.Shared.Return(rented);
        }
    }

    /// <summary>Grows in few sizes, so that buffers can be used again, and from a small one, so that the many small objects never hold a part's worth of memory.</summary>
    private void Reserve(int wanted)
    {
        if (wanted <= buffer.Length)
        {
            return;
        }

        var size = Math.Max(buffer.Length, SmallestBuffer);
        while (size < wanted)
        {
            size *= BufferGrowth;
        }

        var larger = PartBuffers.Shared.Rent(Math.Min(CurrentPartBytes, size));
        buffer.AsSpan(0, filled).CopyTo(larger);
        PartBuffers.Shared.Return(buffer);
        buffer = larger;
    }
}
