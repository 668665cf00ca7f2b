using System.Buffers;
using System.Security.Cryptography;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// Reads an object front to back through several ranged reads at once, so that one slow connection does not set the pace, and hashes it ahead of whoever reads: what
/// is read is decompressed, which takes as long. Holds at most <c>parallel</c> ranges of <see cref="RangeBytes"/>.
/// </summary>
internal sealed class PrefetchingStream : ReadOnlyStream
{
    /// <summary>Large enough that a request's latency is small beside its transfer, small enough that four fit a small pod.</summary>
    private const int RangeBytes = 4 << 20;

    /// <summary>With the byte that must not be there, so that the buffers of all ranges can take each other's place.</summary>
    private const int BufferBytes = RangeBytes + 1;

    /// <summary>An object that is no longer than this takes a buffer of its own size.</summary>
    private const int SmallBytes = 1 << 20;

    private readonly IObjectStore store;
    private readonly ObjectKey key;
    private readonly long length;
    private readonly int parallel;
    private readonly CancellationTokenSource abandoned = new();
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Queue<Task<ArraySegment<byte>>> ranges = new();
    private Task lastHashed = Task.CompletedTask;
    private long requested;
    private bool asked;
    private ArraySegment<byte> current;

    public PrefetchingStream(IObjectStore store, ObjectKey key, long length, int parallel)
    {
        this.store = store;
        this.key = key;
        this.length = length;
        this.parallel = parallel;
    }

    /// <summary>Bytes read so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>SHA-256 of the whole object; for whoever has read it to its end.</summary>
    public byte[] Hash() => hash.GetCurrentHash();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (current.Count == 0)
        {
            Recycle();
            Request();
            if (!ranges.TryPeek(out var next))
            {
                return 0;
            }

            current = await next.WaitAsync(cancellationToken);
            _ = ranges.Dequeue();
            Request();
        }

        var count = Math.Min(buffer.Length, current.Count);
        current.AsSpan(0, count).CopyTo(buffer.Span);
        current = current[count..];
        Bytes += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            abandoned.Cancel();
            Recycle();
            foreach (var range in ranges)
            {
                _ = range.ContinueWith(
                    static done => Return(done.Result.Array!),
                    CancellationToken.None,
                    TaskContinuationOptions.OnlyOnRanToCompletion,
                    TaskScheduler.Default);
            }

            ranges.Clear();
            _ = lastHashed.ContinueWith(_ => hash.Dispose(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        base.Dispose(disposing);
    }

    private void Request()
    {
        // An empty object is asked for too: it may be missing.
        while (ranges.Count < parallel && (requested < length || (length == 0 && !asked)))
        {
            asked = true;
            var count = (int)Math.Min(RangeBytes, length - requested);
            var range = HashAsync(FetchAsync(requested, count, abandoned.Token), lastHashed);
            ranges.Enqueue(range);
            lastHashed = range;
            requested += count;
        }
    }

    /// <summary>Hashes a range when it is there and the one before it has been hashed.</summary>
    private async Task<ArraySegment<byte>> HashAsync(Task<ArraySegment<byte>> fetched, Task before)
    {
        // Never on the thread of whoever reads, which has its own work to do.
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        var range = await fetched;
        hash.AppendData(range);
        return range;
    }

    private async Task<ArraySegment<byte>> FetchAsync(long offset, int count, CancellationToken cancellationToken)
    {
        // The last range asks for one byte more, which must not be there.
        var wanted = offset + count == length ? count + 1 : count;
        var rented = wanted > SmallBytes ? PartBuffers.Shared.Rent(BufferBytes) : ArrayPool<byte>.Shared.Rent(wanted);
        try
        {
            await using var source = await store.OpenReadAsync(key, offset, count > 0 ? wanted : null, cancellationToken);
            var read = await source.ReadAtLeastAsync(rented.AsMemory(0, wanted), wanted, throwOnEndOfStream: false, cancellationToken);
            if (read > count)
            {
                throw new InvalidDataException($"it goes on behind its {length} bytes");
            }

            return read == count
                ? new ArraySegment<byte>(rented, 0, count)
                : throw new InvalidDataException($"it ends at byte {offset + read} of {length}");
        }
        catch
        {
            Return(rented);
            throw;
        }
    }

    private void Recycle()
    {
        if (current.Array is { Length: > 0 } array)
        {
            Return(array);
        }

        current = default;
    }

    private static void Return(byte[] rented)
    {
        if (rented.Length == BufferBytes)
        {
            PartBuffers.Shared.Return(rented);
        }
        else
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
