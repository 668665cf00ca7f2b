using System.Buffers;
using System.IO.Pipelines;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// Makes one lineage of a log durable while it arrives. Content is compressed once, in frames; each flush puts the frames since the last one as a chunk, and the
/// same frames, one behind the other, become the whole segment. Memory is bounded by one pipe, the open segment's part buffer and a few megabytes of chunks,
/// whatever the segment size.
/// </summary>
/// <remarks>
/// One loop owns all state; <see cref="AppendAsync"/> only fills the pipe before it. Uploads run beside the loop: one chunk and
/// <see cref="SegmentsInFlight"/> segments at most, and the <see cref="ContiguousFrontier"/> decides what may be acknowledged.
/// </remarks>
public sealed partial class LogWriter : IAsyncDisposable
{
    /// <summary>Two segments on their way hide one store round trip; more would only hold more memory.</summary>
    private const int SegmentsInFlight = 2;

    /// <summary>What the reader may be ahead of the compressor.</summary>
    private const int PipeBytes = 4 << 20;

    /// <summary>Compressed bytes that wait for the chunk before them; past this the reader is held back.</summary>
    private const int PendingBytes = 4 << 20;

    /// <summary>
    /// So many chunks are then merged into one: a quiet database flushes 17,280 times a day into one segment, and a restore must not read as many objects.
    /// </summary>
    private const int ChunksPerMerge = 64;

    /// <summary>A merged chunk that has grown to this is left as it is and the next begins after it.</summary>
    private const int MergeBytes = 4 << 20;

    private readonly LogArchive archive;
    private readonly LogWriterOptions options;
    private readonly string lineage;
    private readonly ILogObserver observer;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly Action durableAdvanced;
    private readonly Pipe pipe;
    private readonly ITimer wake;
    private readonly ContentEncoder encoder;
    private readonly ContiguousFrontier frontier;
    private readonly ConfirmedMoments moments = new();
    private readonly Queue<LogPiece> held;
    private readonly CancellationTokenSource abandoned = new();
    private readonly ArrayBufferWriter<byte> frame = new(256 << 10);
    private readonly LogStretch pending;
    private readonly LogStretch merge;
    private readonly List<LogMark> marks = [];
    private readonly List<Task> segmentTasks = [];
    private readonly Task loop;
    private OpenSegment segment;
    private Task chunkTask = Task.CompletedTask;
    private ulong position;
    private ulong received;
    private long firstUnflushed;
    private long lastConfirmed;
    private DateTimeOffset? confirmedAsOf;
    private bool frameIsPending;
    private volatile bool flushRequested;

    /// <param name="archive">Where it goes.</param>
    /// <param name="lineage">The line of history.</param>
    /// <param name="start">Where the first byte will lie.</param>
    /// <param name="held">What the archive holds of this lineage from <paramref name="start"/> on; bytes that arrive again are compared with it.</param>
    /// <param name="observer">Reads along.</param>
    /// <param name="durableAdvanced">Called, on any thread, when <see cref="DurablePosition"/> or <see cref="RecoverableUntil"/> has grown.</param>
    public LogWriter(
        LogArchive archive,
        LogWriterOptions options,
        string lineage,
        ulong start,
        IEnumerable<LogPiece> held,
        ILogObserver observer,
        Action durableAdvanced,
        TimeProvider clock,
        ILogger logger)
    {
        this.archive = archive;
        this.options = options;
        this.lineage = lineage;
        this.observer = observer;
        this.durableAdvanced = durableAdvanced;
        this.clock = clock;
        this.logger = logger;
        position = received = start;
        frontier = new ContiguousFrontier(start);
        var known = held.Where(p => p.Lineage == lineage && p.Range.End > start).ToList();
        known.ForEach(p => frontier.Add(p.Range));
        this.held = new Queue<LogPiece>(known.OrderBy(p => p.Range.End));
        pending = new LogStretch(Math.Max(start, frontier.Position));
        merge = new LogStretch(start);
        encoder = ContentEncoder.Create(archive.Codec, archive.Level, workers: 0);
        pipe = new Pipe(new PipeOptions(
            minimumSegmentSize: 128 << 10, pauseWriterThreshold: PipeBytes, resumeWriterThreshold: PipeBytes / 2, useSynchronizationContext: false));
        segment = Open(start);
        lastConfirmed = clock.GetTimestamp();
        wake = clock.CreateTimer(_ => pipe.Reader.CancelPendingRead(), null, options.ConfirmInterval, Timeout.InfiniteTimeSpan);
        loop = Task.Run(RunAsync);
    }

    /// <summary>Everything before this is durable in the repository.</summary>
    public ulong DurablePosition => Math.Min(frontier.Position, Volatile.Read(ref received));

    /// <summary>Everything before this was handed to <see cref="AppendAsync"/>.</summary>
    public ulong ReceivedPosition => Volatile.Read(ref received);

    /// <summary>Every event up to this time by the source's clock is durable; null until the source has said where its log ends.</summary>
    public DateTimeOffset? RecoverableUntil => moments.Reached(DurablePosition);

    /// <summary>Where the source's log ended, as it last said; bytes up to there will come without waiting for anything new to be written.</summary>
    public ulong SourceEnd { get; private set; }

    /// <summary>Ends when the writer was completed, and faults when it cannot go on.</summary>
    public Task Completion => loop;

    /// <summary>The next bytes. Waits while the writer is behind by more than its bounds.</summary>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        Volatile.Write(ref received, received + (ulong)bytes.Length);
        var result = await pipe.Writer.WriteAsync(bytes, cancellationToken);
        if (result.IsCompleted)
        {
            await loop;
            throw new InvalidOperationException("The log writer was completed; nothing can be appended.");
        }
    }

    /// <summary>The source says that at <paramref name="asOf"/>, by its own clock, its log ended at <paramref name="end"/>.</summary>
    public void Confirm(ulong end, DateTimeOffset asOf)
    {
        Announce(end);
        moments.Add(end, asOf);
    }

    /// <summary>The source's log reaches at least to <paramref name="end"/>; at what moment is not known.</summary>
    public void Announce(ulong end) => SourceEnd = Math.Max(SourceEnd, end);

    /// <summary>Makes what has been appended durable now rather than at the next interval.</summary>
    public void RequestFlush()
    {
        flushRequested = true;
        pipe.Reader.CancelPendingRead();
    }

    /// <summary>Makes everything durable that was appended, and ends.</summary>
    public async Task CompleteAsync()
    {
        await pipe.Writer.CompleteAsync();
        await loop;
    }

    /// <summary>Abandons what is not durable.</summary>
    public async ValueTask DisposeAsync()
    {
        await abandoned.CancelAsync();
        await pipe.Writer.CompleteAsync();
        await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await wake.DisposeAsync();
        encoder.Dispose();
        await segment.DisposeAsync();
        abandoned.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            bool completed;
            do
            {
                var read = await pipe.Reader.ReadAsync(abandoned.Token);
                foreach (var bytes in read.Buffer)
                {
                    await ConsumeAsync(bytes);
                }

                pipe.Reader.AdvanceTo(read.Buffer.End);
                completed = read.IsCompleted;
                await ObserveUploadsAsync();
                if (FlushIsDue())
                {
                    await FlushAsync();
                }

                await ConfirmIfDueAsync();
                ScheduleWake();
            }
            while (!completed);
            await chunkTask;
            if (position > pending.Start)
            {
                await FlushAsync();
            }

            await Task.WhenAll([chunkTask, .. segmentTasks]);
            await ConfirmAsync();
        }
        finally
        {
            // The writer's side must learn of a failure at its next append instead of waiting for room for ever.
            await pipe.Reader.CompleteAsync();
            await abandoned.CancelAsync();
            await Task.WhenAll([chunkTask, .. segmentTasks]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask ConsumeAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var limit = held.TryPeek(out var next) ? Math.Min(next.Range.End, segment.Range.End) : segment.Range.End;
            var count = (int)Math.Min((ulong)bytes.Length, limit - position);
            Encode(bytes.Span[..count]);
            bytes = bytes[count..];
            if (frame.WrittenCount >= 64 << 10)
            {
                await DrainAsync();
            }

            if (position == limit)
            {
                await AtBoundaryAsync();
            }
        }

        if (pending.StoredBytes > PendingBytes)
        {
            await chunkTask;
            await FlushAsync();
        }
    }

    private void Encode(ReadOnlySpan<byte> bytes)
    {
        if (!frameIsPending && position >= pending.Start)
        {
            frameIsPending = true;
            firstUnflushed = clock.GetTimestamp();
        }

        observer.Observe(bytes);
        segment.AddContent(bytes);
        encoder.Write(bytes, frame);
        position += (ulong)bytes.Length;
    }

    /// <summary>At the end of a chunk that the archive held before: is this the same log? At the end of the segment: up with it.</summary>
    private async ValueTask AtBoundaryAsync()
    {
        await CutFrameAsync();
        var isHeld = false;
        while (held.TryPeek(out var piece) && piece.Range.End <= position)
        {
            held.Dequeue();
            if (piece.Range.End == position)
            {
                await CompareAsync(piece);
                isHeld |= piece.IsSegment;
                if (!piece.IsSegment)
                {
                    segment.AddChunk(piece.Key);
                }
            }
        }

        if (position == segment.Range.End)
        {
            await (isHeld ? PassSegmentAsync() : EndSegmentAsync());
        }
    }

    private async Task CompareAsync(LogPiece piece)
    {
        try
        {
            var seal = await archive.ReadSealAsync(piece, abandoned.Token);
            if (seal.HashedFrom == segment.Range.Start && seal.ContentSha256 != segment.ContentSha256())
            {
                throw Diverged(piece.Key);
            }
        }
        catch (NotRestorableException damage)
        {
            // The whole segment, which is being received again, will take its place.
            LogDamagedChunk(damage.Message);
        }
    }

    /// <summary>Ends the frame, so that what was received so far can be put.</summary>
    private async ValueTask CutFrameAsync()
    {
        encoder.EndFrame(frame);
        await DrainAsync();
        var times = observer.TakeTimes();
        segment.Times = segment.Times.Include(times);
        merge.Include(times);
        if (frameIsPending)
        {
            pending.Include(times);
        }

        marks.AddRange(observer.TakeMarks());
        frameIsPending = false;
    }

    private async ValueTask DrainAsync()
    {
        await segment.AddStoredAsync(frame.WrittenMemory, abandoned.Token);
        merge.Append(frame.WrittenSpan);
        if (frameIsPending)
        {
            pending.Append(frame.WrittenSpan);
        }

        frame.ResetWrittenCount();
    }

    private bool FlushIsDue()
    {
        if (position <= pending.Start || !chunkTask.IsCompleted)
        {
            return false;
        }

        // Bytes that exist already will fill the segment by themselves: putting them as chunks first would send them twice.
        var fillsItself = SourceEnd >= segment.Range.End;
        return flushRequested
            || options.Synchronous
            || (!fillsItself && position - pending.Start >= (ulong)options.FlushBytes)
            || clock.GetElapsedTime(firstUnflushed) >= options.FlushInterval;
    }

    /// <summary>Puts what is not yet durable of the open segment as one chunk, or together with the chunks before it as a merged one.</summary>
    private async Task FlushAsync()
    {
        flushRequested = false;
        await CutFrameAsync();
        var full = merge.StoredBytes > MergeBytes;
        var merged = full || segment.Mergeable.Count >= ChunksPerMerge;
        chunkTask = PutChunkAsync(merged ? merge : pending, merged ? segment.TakeMergeable() : []);
        if (full)
        {
            merge.Restart(position);
            segment.Mergeable.Clear();
        }

        pending.Restart(position);
    }

    private Task PutChunkAsync(LogStretch stretch, IReadOnlyCollection<ObjectKey> superseded)
    {
        var range = new LogRange(stretch.Start, position);
        var seal = Seal(range, stretch.StoredBytes, stretch.StoredSha256(), stretch.Times);
        var frameBytes = SealFrame.Write(seal, archive.Codec);
        var key = archive.ChunkKey(lineage, range);
        segment.AddChunk(key);
        var content = archive.Codec == Codec.None ? stretch.With([]) : stretch.With(frameBytes);
        var recorded = TakeMarks();
        return Beside(async () =>
        {
            await PutSealBesideAsync(key, frameBytes);
            if (!await archive.Store.PutIfAbsentAsync(key, content, abandoned.Token))
            {
                await RequireOwnAsync(new LogPiece(key, lineage, range, archive.Codec, 0, IsSegment: false), seal);
            }

            await DurableAsync(range, recorded);
            await DeleteAsync(superseded);
        });
    }

    /// <summary>Runs an upload beside the loop, and wakes the loop when it has ended, well or not.</summary>
    private Task Beside(Func<Task> upload) => Task.Run(async () =>
    {
        try
        {
            await upload();
        }
        finally
        {
            pipe.Reader.CancelPendingRead();
        }
    });

    private async Task EndSegmentAsync()
    {
        var ended = segment;
        var (bytes, sha256) = ended.Stored();
        var seal = Seal(ended.Range, bytes, sha256, ended.Times);
        segmentTasks.RemoveAll(t => t.IsCompletedSuccessfully);
        if (segmentTasks.Count >= SegmentsInFlight)
        {
            await await Task.WhenAny(segmentTasks);
        }

        var (lastChunk, recorded) = (chunkTask, TakeMarks());
        segmentTasks.Add(Beside(() => SealSegmentAsync(ended, seal, lastChunk, recorded)));
        segment = Open(position);
        pending.Restart(position);
        merge.Restart(position);
    }

    /// <summary>The archive holds this whole segment already, and it was compared before anything behind it may be put.</summary>
    private async Task PassSegmentAsync()
    {
        var passed = segment;
        await chunkTask;
        await DurableAsync(passed.Range, TakeMarks());
        await DeleteAsync(passed.Chunks);
        await passed.DisposeAsync();
        segment = Open(position);
        pending.Restart(position);
        merge.Restart(position);
    }

    private async Task SealSegmentAsync(OpenSegment ended, LogSeal seal, Task lastChunk, List<LogMark> recorded)
    {
        await using var owned = ended;
        var frameBytes = SealFrame.Write(seal, archive.Codec);
        await PutSealBesideAsync(ended.Key, frameBytes);
        if (!await ended.SealAsync(archive.Codec == Codec.None ? default : frameBytes, abandoned.Token))
        {
            await RequireOwnAsync(new LogPiece(ended.Key, lineage, ended.Range, archive.Codec, 0, IsSegment: true), seal);
        }

        await DurableAsync(ended.Range, recorded);
        await lastChunk;
        await DeleteAsync(ended.Chunks);
    }

    private async Task PutSealBesideAsync(ObjectKey key, byte[] frameBytes)
    {
        if (archive.Codec == Codec.None)
        {
            // Before the piece, so that a piece is never without its proof; a seal of an earlier attempt may differ in its times only.
            await archive.Store.PutIfAbsentAsync(LogArchive.SealKey(key), frameBytes, abandoned.Token);
        }
    }

    private async Task DurableAsync(LogRange range, List<LogMark> recorded)
    {
        foreach (var mark in recorded)
        {
            await archive.RecordMarkAsync(mark, abandoned.Token);
        }

        frontier.Add(range);
        durableAdvanced();
    }

    /// <summary>The name was taken: by our own earlier attempt, or by another history?</summary>
    private async Task RequireOwnAsync(LogPiece taken, LogSeal seal)
    {
        var existing = await archive.Store.HeadAsync(taken.Key, abandoned.Token)
            ?? throw new ObjectStoreException(
                $"{archive.Store.Description} says of '{taken.Key}' first that it exists and then that it does not.", isPermanent: false);
        var found = await archive.ReadSealAsync(taken with { StoredBytes = existing.Bytes }, abandoned.Token);
        if (found.HashedFrom != seal.HashedFrom || found.ContentSha256 != seal.ContentSha256)
        {
            throw Diverged(taken.Key);
        }
    }

    private async Task DeleteAsync(IReadOnlyCollection<ObjectKey> superfluous)
    {
        if (superfluous.Count > 0)
        {
            await archive.Store.DeleteAsync(
                archive.Codec == Codec.None ? [.. superfluous, .. superfluous.Select(LogArchive.SealKey)] : superfluous, abandoned.Token);
        }
    }

    private async Task ObserveUploadsAsync()
    {
        if (chunkTask.IsFaulted || chunkTask.IsCanceled)
        {
            await chunkTask;
        }

        foreach (var ended in segmentTasks.Where(t => t.IsFaulted || t.IsCanceled))
        {
            await ended;
        }
    }

    private async Task ConfirmIfDueAsync()
    {
        if (clock.GetElapsedTime(lastConfirmed) >= options.ConfirmInterval)
        {
            await ConfirmAsync();
        }
    }

    private async Task ConfirmAsync()
    {
        lastConfirmed = clock.GetTimestamp();
        var durable = DurablePosition;
        if (moments.Reached(durable) is { } asOf && asOf != confirmedAsOf)
        {
            await archive.ConfirmAsync(new LogConfirmation(lineage, durable, asOf), abandoned.Token);
            confirmedAsOf = asOf;
        }
    }

    private void ScheduleWake()
    {
        var due = options.ConfirmInterval - clock.GetElapsedTime(lastConfirmed);
        if (position > pending.Start)
        {
            var flush = options.FlushInterval - clock.GetElapsedTime(firstUnflushed);
            due = flush < due ? flush : due;
        }

        wake.Change(due < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : due, Timeout.InfiniteTimeSpan);
    }

    private OpenSegment Open(ulong start)
    {
        var range = new LogRange(start, archive.Naming.SegmentAt(start).End);
        return new OpenSegment(range, new ObjectWriter(archive.Store, archive.SegmentKey(lineage, range), parallelParts: 2));
    }

    private LogSeal Seal(LogRange range, long storedBytes, string storedSha256, LogTimes times) => new()
    {
        Lineage = lineage,
        Start = range.Start,
        End = range.End,
        HashedFrom = segment.Range.Start,
        ContentSha256 = segment.ContentSha256(),
        StoredBytes = storedBytes,
        StoredSha256 = storedSha256,
        Earliest = times.Earliest,
        Latest = times.Latest,
        AsOf = moments.Peek(range.End),
    };

    private List<LogMark> TakeMarks()
    {
        List<LogMark> taken = [.. marks];
        marks.Clear();
        return taken;
    }

    private LogDivergedException Diverged(ObjectKey key) => new(
        $"The log that the server sends differs from '{key}' in {archive.Store.Description}: the same positions hold other bytes. "
        + "This server is a copy or was set back; nothing was changed. Give it a repository of its own.");

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Damage} It is passed over: the whole segment will replace it.")]
    private partial void LogDamagedChunk(string damage);
}
