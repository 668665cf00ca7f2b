using System.Buffers;

namespace NLDS.BackupAgent.Storage;

/// <summary>
/// Writes one object of unknown length in bounded memory: what fits one part goes up as a single put, anything longer as a multipart upload with
/// at most <c>parallelParts</c> parts on their way. Disposing without <see cref="SealAsync"/> abandons the object.
/// </summary>
public sealed class ObjectWriter : IAsyncDisposable
{
    /// <summary>S3's limit on the number of parts of one object.</summary>
    public const int MaximumParts = 10_000;

    /// <summary>S3's lower limit on every part but the last.</summary>
    public const int MinimumPartBytes = 5 << 20;

    public const int DefaultPartBytes = 8 << 20;

    /// <summary>
    /// After this many parts the part size doubles, so that 10,000 parts hold 31 times 2,000 first parts (496 GiB at 8 MiB) while objects up to 16 GiB
    /// are written with the smallest buffers.
    /// </summary>
    private const int PartsPerSize = 2_000;

    private const int SmallestBuffer = 64 << 10;

    private readonly IObjectStore store;
    private readonly int partBytes;
    private readonly SemaphoreSlim slots;
    private readonly List<Task> parts = [];
    private IObjectUpload? upload;
    private byte[] buffer = [];
    private int filled;
    private int nextPart = 1;
    private long offset;
    private bool ended;

    public ObjectWriter(IObjectStore store, ObjectKey key, int partBytes = DefaultPartBytes, int parallelParts = 3)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(partBytes, MinimumPartBytes);
        ArgumentOutOfRangeException.ThrowIfLessThan(parallelParts, 1);
        this.store = store;
        this.partBytes = partBytes;
        Key = key;
        slots = new SemaphoreSlim(parallelParts);
    }

    public ObjectKey Key { get; }

    /// <summary>Bytes written so far.</summary>
    public long Length => offset + filled;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(ended, this);
        while (!bytes.IsEmpty)
        {
            if (filled == CurrentPartBytes)
            {
                await SendPartAsync(cancellationToken);
            }

            Reserve(Math.Min(bytes.Length, CurrentPartBytes - filled));
            var count = Math.Min(bytes.Length, buffer.Length - filled);
            bytes[..count].CopyTo(buffer.AsMemory(filled));
            filled += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Makes the object durable and visible. False when an object of this name existed; then nothing has changed there.</summary>
    public async Task<bool> SealAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(ended, this);
        if (upload is null)
        {
            var created = await store.PutIfAbsentAsync(Key, buffer.AsMemory(0, filled), cancellationToken);
            ended = true;
            return created;
        }

        if (filled > 0)
        {
            await SendPartAsync(cancellationToken);
        }

        await Task.WhenAll(parts);
        var completed = await upload.CompleteAsync(cancellationToken);
        ended = true;
        return completed;
    }

    public async ValueTask DisposeAsync()
    {
        ended = true;
        await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (upload is not null)
        {
            await upload.DisposeAsync();
        }

        Return(ref buffer);
        slots.Dispose();
    }

    private int CurrentPartBytes => (int)Math.Min((long)partBytes << Math.Min((nextPart - 1) / PartsPerSize, 4), 1 << 30);

    private async Task SendPartAsync(CancellationToken cancellationToken)
    {
        if (nextPart > MaximumParts)
        {
            throw new ObjectStoreException(
                $"The object '{Key}' has grown past {MaximumParts} parts. Set a larger Storage:S3:PartSizeBytes.", isPermanent: true);
        }

        upload ??= await store.BeginUploadAsync(Key, cancellationToken);
        await slots.WaitAsync(cancellationToken);
        foreach (var failed in parts.Where(part => part.IsFaulted || part.IsCanceled))
        {
            await failed;
        }

        parts.RemoveAll(part => part.IsCompletedSuccessfully);
        parts.Add(PutPartAsync(upload, nextPart, offset, buffer, filled, cancellationToken));
        nextPart++;
        offset += filled;
        buffer = [];
        filled = 0;
    }

    private async Task PutPartAsync(IObjectUpload target, int number, long at, byte[] rented, int count, CancellationToken cancellationToken)
    {
        try
        {
            await target.PutPartAsync(number, at, rented.AsMemory(0, count), cancellationToken);
        }
        finally
        {
            Return(ref rented);
            slots.Release();
        }
    }

    private void Reserve(int more)
    {
        if (filled + more <= buffer.Length)
        {
            return;
        }

        var wanted = Math.Min(CurrentPartBytes, Math.Max(Math.Max(buffer.Length * 4, SmallestBuffer), filled + more));
        var larger = ArrayPool<byte>.Shared.Rent(wanted);
        buffer.AsSpan(0, filled).CopyTo(larger);
        Return(ref buffer);
        buffer = larger;
    }

    private static void Return(ref byte[] rented)
    {
        if (rented.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        rented = [];
    }
}
