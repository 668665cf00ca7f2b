using System.Buffers;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// The content of an encrypted object, frame by frame; no byte of a frame is given out before all of it was found to be what was written. Anything else is
/// <see cref="InvalidDataException"/>: a frame that was changed, an end that is not the object's end.
/// </summary>
internal sealed class DecryptingStream(Stream stored, Keyring keys, ObjectKey name) : ReadOnlyStream
{
    private FrameCipher? cipher;

    /// <summary>A stored frame and one byte more, which tells whether it is the last.</summary>
    private byte[] input = [];
    private int inputBytes;
    private int frameBytes;
    private byte[] frame = [];
    private int start;
    private int end;
    private bool ended;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (start == end && !ended && !buffer.IsEmpty)
        {
            await ReadFrameAsync(cancellationToken);
        }

        var count = Math.Min(buffer.Length, end - start);
        frame.AsSpan(start, count).CopyTo(buffer.Span);
        start += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            cipher?.Dispose();
            Recycle(ref input);
            Recycle(ref frame);
            ended = true;
            start = end = 0;
            stored.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask ReadFrameAsync(CancellationToken cancellationToken)
    {
        cipher ??= await BeginAsync(cancellationToken);
        var whole = frameBytes + RepositoryKey.TagBytes;
        inputBytes += await stored.ReadAtLeastAsync(input.AsMemory(inputBytes, whole + 1 - inputBytes), whole + 1 - inputBytes, throwOnEndOfStream: false, cancellationToken);
        var isLast = inputBytes <= whole;
        var bytes = Math.Min(inputBytes, whole);
        if (bytes < RepositoryKey.TagBytes)
        {
            throw new InvalidDataException("it ends before its last frame");
        }

        (start, end) = (0, bytes - RepositoryKey.TagBytes);
        try
        {
            cipher.Decrypt(input.AsSpan(0, bytes), isLast, frame.AsSpan(0, end));
        }
        catch (InvalidDataException)
        {
            // Whoever reads on in spite of it gets nothing.
            (end, ended) = (0, true);
            throw;
        }

        ended = isLast;
        inputBytes -= bytes;
        if (inputBytes > 0)
        {
            input[0] = input[whole];
        }
    }

    private async ValueTask<FrameCipher> BeginAsync(CancellationToken cancellationToken)
    {
        var bytes = new byte[ObjectHeader.Bytes];
        if (await stored.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken) < bytes.Length)
        {
            throw new InvalidDataException("it ends within its header");
        }

        var header = ObjectHeader.Read(bytes, keys, name);
        frameBytes = header.FrameBytes;
        input = ArrayPool<byte>.Shared.Rent(frameBytes + RepositoryKey.TagBytes + 1);
        frame = ArrayPool<byte>.Shared.Rent(frameBytes);
        return new FrameCipher(header.Key);
    }

    private static void Recycle(ref byte[] rented)
    {
        if (rented.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        rented = [];
    }
}
