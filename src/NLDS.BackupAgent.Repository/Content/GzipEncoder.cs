using System.Buffers;
using System.IO.Compression;

namespace NLDS.BackupAgent.Repository.Content;

internal sealed class GzipEncoder(int level) : ContentEncoder
{
    /// <summary>A header (RFC 1952 2.3), one empty final block with fixed codes, CRC-32 and length of nothing.</summary>
    private static readonly byte[] EmptyMember = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly SwitchableStream sink = new();
    private GZipStream? member;
    private bool anyMember;

    public override void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> stored)
    {
        if (content.IsEmpty)
        {
            return;
        }

        sink.Target = stored;
        anyMember = true;
        member ??= new GZipStream(sink, new ZLibCompressionOptions { CompressionLevel = Math.Clamp(level, 1, 9) }, leaveOpen: true);
        member.Write(content);
    }

    public override void EndFrame(IBufferWriter<byte> stored)
    {
        sink.Target = stored;
        member?.Dispose();
        member = null;
    }

    public override void End(IBufferWriter<byte> stored)
    {
        EndFrame(stored);
        if (!anyMember)
        {
            // GZipStream writes nothing for nothing, and gzip refuses an empty file.
            stored.Write(EmptyMember);
        }
    }

    public override void Dispose()
    {
        sink.Target = null;
        member?.Dispose();
        sink.Dispose();
    }

    /// <summary>A sink that GZipStream keeps while the buffer behind it changes from call to call.</summary>
    private sealed class SwitchableStream : SinkStream
    {
        public IBufferWriter<byte>? Target { get; set; }

        public override void Write(ReadOnlySpan<byte> buffer) => Target?.Write(buffer);
    }
}
