using System.Buffers;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// Decompresses concatenated Zstandard frames, skippable ones included. Ending inside a frame is damage, never a silent end.
/// </summary>
internal sealed class ZstdDecodingStream(Stream stored) : ReadOnlyStream
{
    private const int InputBytes = 256 << 10;

    private readonly byte[] input = ArrayPool<byte>.Shared.Rent(InputBytes);
    private nint context = Zstandard.CreateDecompressor();
    private int start;
    private int end;
    private bool insideFrame;
    private bool outputPending;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (start == end && !outputPending)
            {
                start = 0;
                end = await stored.ReadAsync(input, cancellationToken);
                if (end == 0)
                {
                    return insideFrame ? throw new InvalidDataException("zstd: the data ends inside a frame") : 0;
                }
            }

            var written = Step(buffer.Span);
            if (written > 0 || buffer.IsEmpty)
            {
                return written;
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (context != 0)
        {
            Zstandard.FreeDecompressor(context);
            context = 0;
            ArrayPool<byte>.Shared.Return(input);
            stored.Dispose();
        }

        base.Dispose(disposing);
    }

    private unsafe int Step(Span<byte> content)
    {
        ObjectDisposedException.ThrowIf(context == 0, this);
        fixed (byte* source = input)
        fixed (byte* target = content)
        {
            var from = new Zstandard.Buffer { Bytes = source + start, Size = (nuint)(end - start) };
            var to = new Zstandard.Buffer { Bytes = target, Size = (nuint)content.Length };
            var hint = Zstandard.Check(Zstandard.Decompress(context, &to, &from));
            start += (int)from.Position;
            insideFrame = hint != 0;
            // A full output may leave decoded bytes inside the context: ask again before more input is read.
            outputPending = to.Position == to.Size && hint != 0;
            return (int)to.Position;
        }
    }
}
