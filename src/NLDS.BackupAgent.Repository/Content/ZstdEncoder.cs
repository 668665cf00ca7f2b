using System.Buffers;

namespace NLDS.BackupAgent.Repository.Content;

internal sealed unsafe class ZstdEncoder : ContentEncoder
{
    /// <summary>zstd's own advice for output buffers (ZSTD_CStreamOutSize) is a block of 128 KiB and a little.</summary>
    private const int OutputChunk = 132 << 10;

    /// <summary>
    /// With workers, each job holds a copy of its input and of the overlap before it; 2 MiB keeps two workers under 20 MiB at the default level.
    /// </summary>
    private const int JobBytes = 2 << 20;

    private nint context;

    public ZstdEncoder(int level, int workers)
    {
        context = Zstandard.CreateCompressor();
        Zstandard.Check(Zstandard.SetParameter(context, Zstandard.CompressionLevel, level));
        Zstandard.Check(Zstandard.SetParameter(context, Zstandard.ChecksumFlag, 1));
        if (workers > 0)
        {
            Zstandard.Check(Zstandard.SetParameter(context, Zstandard.Workers, workers));
            Zstandard.Check(Zstandard.SetParameter(context, Zstandard.JobSize, JobBytes));
        }
    }

    public override void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> stored)
    {
        fixed (byte* bytes = content)
        {
            var input = new Zstandard.Buffer { Bytes = bytes, Size = (nuint)content.Length };
            while (input.Position < input.Size)
            {
                Step(&input, stored, Zstandard.Continue);
            }
        }
    }

    public override void EndFrame(IBufferWriter<byte> stored)
    {
        var input = default(Zstandard.Buffer);
        while (Step(&input, stored, Zstandard.End) != 0)
        {
        }
    }

    public override void Dispose()
    {
        if (context != 0)
        {
            Zstandard.FreeCompressor(context);
            context = 0;
        }
    }

    private nuint Step(Zstandard.Buffer* input, IBufferWriter<byte> stored, int directive)
    {
        ObjectDisposedException.ThrowIf(context == 0, this);
        var span = stored.GetSpan(OutputChunk);
        fixed (byte* bytes = span)
        {
            var output = new Zstandard.Buffer { Bytes = bytes, Size = (nuint)span.Length };
            var remaining = Zstandard.Check(Zstandard.Compress(context, &output, input, directive));
            stored.Advance((int)output.Position);
            return remaining;
        }
    }
}
