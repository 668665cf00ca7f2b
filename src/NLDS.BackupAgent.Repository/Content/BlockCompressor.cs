using System.Buffers;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// Compresses content block by block on other threads, each block into a frame of its own, and gives the frames back in the order of the blocks. What is caught up
/// after an outage is bound by compression, and this is what uses a second core for it. For one caller at a time.
/// </summary>
internal sealed class BlockCompressor(Codec codec, int level, int parallel) : IAsyncDisposable
{
    /// <summary>Long enough that a frame of its own costs little of the ratio; a few of them are what is held in memory.</summary>
    public const int BlockBytes = 1 << 20;

    private readonly Stack<Block> idle = new();
    private readonly Queue<Task<Block>> running = new();
    private Block? current;

    /// <summary>What fits the block that is being filled; a full one is ended with <see cref="EndBlock"/>.</summary>
    public int Room => BlockBytes - (current?.Filled ?? 0);

    /// <summary>There are as many blocks at work as threads; the oldest frame should be taken before another block is filled.</summary>
    public bool IsBusy => running.Count > parallel;

    public bool HasFrames => running.Count > 0;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        current ??= idle.TryPop(out var block) ? block : new Block(ContentEncoder.Create(codec, level, workers: 0));
        current.Append(bytes);
    }

    /// <summary>Hands the block that is being filled to another thread; does nothing when there is none.</summary>
    /// <param name="hurried">Whether the sooner matters more than the smaller.</param>
    public void EndBlock(bool hurried)
    {
        if (current is { } block)
        {
            current = null;
            running.Enqueue(Task.Run(() => block.Compress(hurried)));
        }
    }

    /// <summary>Waits for the oldest frame and hands it to <paramref name="take"/>, which must not keep it.</summary>
    public async ValueTask TakeFrameAsync(Func<ReadOnlyMemory<byte>, ValueTask> take)
    {
        var block = await running.Peek();
        _ = running.Dequeue();
        await take(block.Frame);
        block.Clear();
        idle.Push(block);
    }

    /// <summary>Lets go of what only a log in a hurry needs: each block has a compressor of some megabytes.</summary>
    public void Trim()
    {
        while (idle.Count > 1)
        {
            idle.Pop().Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var block in running)
        {
            await ((Task)block).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            (block.IsCompletedSuccessfully ? block.Result : null)?.Dispose();
        }

        running.Clear();
        current?.Dispose();
        current = null;
        while (idle.TryPop(out var block))
        {
            block.Dispose();
        }
    }

    private sealed class Block(ContentEncoder encoder) : IDisposable
    {
        private readonly ArrayBufferWriter<byte> frame = new();
        private readonly ArrayBufferWriter<byte> content = new();

        public int Filled => content.WrittenCount;

        public ReadOnlyMemory<byte> Frame => frame.WrittenMemory;

        public void Append(ReadOnlySpan<byte> bytes) => content.Write(bytes);

        public Block Compress(bool hurried)
        {
            encoder.WriteFrame(content.WrittenSpan, hurried, frame);
            return this;
        }

        public void Clear()
        {
            content.ResetWrittenCount();
            frame.ResetWrittenCount();
        }

        public void Dispose() => encoder.Dispose();
    }
}
