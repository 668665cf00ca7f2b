using System.Buffers;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// Compresses content as it is pushed in. <see cref="EndFrame"/> closes what was written so far into a unit that decodes on its own; frames put one behind
/// the other are again a whole stream of the codec, which is what lets a segment be assembled from its chunks without compressing twice.
/// </summary>
internal abstract class ContentEncoder : IDisposable
{
    public static ContentEncoder Create(Codec codec, int level, int workers) => codec switch
    {
        Codec.Zstd => new ZstdEncoder(level, workers),
        Codec.Gzip => new GzipEncoder(level),
        _ => new PlainEncoder(),
    };

    public abstract void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> stored);

    /// <summary>Ends the frame that was begun; where none was begun, a codec may write nothing.</summary>
    public abstract void EndFrame(IBufferWriter<byte> stored);

    /// <summary>Writes a frame of its own; no other may have been begun.</summary>
    /// <param name="hurried">Time is worth more than room: where the codec can trade them, it takes its fastest level.</param>
    public virtual void WriteFrame(ReadOnlySpan<byte> content, bool hurried, IBufferWriter<byte> stored)
    {
        Write(content, stored);
        EndFrame(stored);
    }

    /// <summary>Ends the whole content, so that the codec's own tool opens it even when it is empty.</summary>
    public virtual void End(IBufferWriter<byte> stored) => EndFrame(stored);

    public abstract void Dispose();

    private sealed class PlainEncoder : ContentEncoder
    {
        public override void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> stored) => stored.Write(content);

        public override void EndFrame(IBufferWriter<byte> stored)
        {
        }

        public override void Dispose()
        {
        }
    }
}
