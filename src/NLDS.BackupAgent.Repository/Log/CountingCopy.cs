using System.Buffers;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>Copies a stream that must not be longer than it said, so that a damaged object cannot fill a disk.</summary>
internal sealed class CountingCopy(ulong limit)
{
    public long Bytes { get; private set; }

    /// <exception cref="InvalidDataException">There is more than the limit.</exception>
    public async Task CopyAsync(Stream source, Stream target, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(256 << 10);
        try
        {
            while (await source.ReadAsync(buffer, cancellationToken) is var count && count > 0)
            {
                Bytes += count;
                if ((ulong)Bytes > limit)
                {
                    throw new InvalidDataException($"it decompresses to more than the {limit} bytes of its range");
                }

                await target.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
