using System.Buffers;
using System.IO.Pipelines;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// Makes one lineage of a log durable while it arrives. Content is compressed once, in frames; each flush puts the frames since the last one as a chunk, and the
/// same frames, one behind the other, become the whole segment. Memory is bounded by one pipe, the open segment's part buffer and a few megabytes of chunks,
/// whatever the segment size.
/// </summary>
/// <remarks>
/// One loop owns all state; <see cref="AppendAsync"/> only fills the pipe before it. <see cref="UploadsInFlight"/> run beside the loop,
/// <see cref="LogPublisher"/> keeps the order of each, and the <see cref="ContiguousFrontier"/> decides what may be acknowledged. What the archive held
/// before counts as durable only when the same bytes have come again and were found to be the same.
/// </remarks>
public sealed partial class LogWriter : IAsyncDisposable
{
    /// <summary>What the reader may be ahead of the compressor.</summary>
    private const int PipeBytes = 4 << 20;

    /// <summary>Behind by more than this, the log is compressed in a hurry: what is not durable yet costs more than the room that it will take.</summary>
    private const ulong HurryBytes = PipeBytes / 2;

    /// <summary>Compressed bytes that wait for the chunk before them; past this the reader is held back.</summary>
    private const int PendingBytes = 4 << 20;

    /// <summary>
    /// So many chunks are then merged into one: a quiet database flushes 17,280 times a day into one segment, and a restore must not read as many objects.
    /// </summary>
    private const int ChunksPerMerge = 64;

    /// <summary>Beside the thread that hashes; a pod beside a database has no more cores to give.</summary>
    private static readonly int CompressorThreads = Math.Clamp(Environment.ProcessorCount, 1, 2);

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
    private readonly BlockCompressor compressor;
    private readonly ContiguousFrontier frontier;
    private readonly ConfirmedMoments moments = new();
    private readonly HeldPieces held;
    private readonly LogPublisher publisher;
    private readonly UploadsInFlight uploads;
    private readonly CancellationTokenSource abandoned = new();

    /// <summary>What is not yet on its way.</summary>
    private readonly LogStretch pending;

    /// <summary>What the next merged chunk would hold; it never begins behind <see cref="pending"/>.</summary>
    private readonly LogStretch merge;

    private readonly List<LogMark> marks = [];
    private readonly Task loop;
    private OpenSegment segment;
    private ulong position;
    private ulong received;
    private ulong flushThrough;
    private ulong sourceEnd;
    private long firstUnflushed;
    private long lastConfirmed;
    private DateTimeOffset? confirmedAsOf;
    private bool frameIsPending;

    /// <summary>A held chunk could not be relied on: the next chunk is a merged one and holds its bytes again.</summary>
    private bool healing;

    private bool disposed;

    /// <param name="archive">Where it goes.</param>
    /// <param name="lineage">The line of history.</param>
    /// <param name="start">Where the first byte will lie.</param>
    /// <param name="held">What the archive holds of this lineage from <paramref name="start"/> on; bytes that arrive again are compared with it.</param>
    /// <param name="observer">Reads along.</param>
    /// <param name="durableAdvanced">Called, on any thread, when <see cref="DurablePosition"/> has grown.</param>
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
        this.held = new HeldPieces([.. held], lineage, start);
        publisher = new LogPublisher(archive, AddDurable);
        segment = Open(start);
        pending = new LogStretch(this.held.CoveredTo);
        merge = new LogStretch(start);
        compressor = new BlockCompressor(archive.Codec, archive.Level, CompressorThreads);
        pipe = new Pipe(new PipeOptions(
            minimumSegmentSize: 128 << 10, pauseWriterThreshold: PipeBytes, resumeWriterThreshold: PipeBytes / 2, useSynchronizationContext: false));
        uploads = new UploadsInFlight(pipe.Reader.CancelPendingRead);
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
    public ulong SourceEnd => Volatile.Read(ref sourceEnd);

    /// <summary>The largest stretch that was held in memory so far, for tests of its bound.</summary>
    internal long LargestStretchBytes { get; private set; }

    private bool IsFarBehind => Math.Max(SourceEnd, ReceivedPosition) - position > HurryBytes;

    /// <summary>Ends when the writer was completed, and faults when it cannot go on.</summary>
    public Task Completion => loop;

    /// <summary>
    /// The next bytes. Waits while the writer is behind by more than its bounds; a wait that is cancelled has taken the bytes all the same.
    /// </summary>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        pipe.Writer.Write(bytes.Span);
        Volatile.Write(ref received, received + (ulong)bytes.Length);
        var result = await pipe.Writer.FlushAsync(cancellationToken);
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
    public void Announce(ulong end) => Volatile.Write(ref sourceEnd, Math.Max(SourceEnd, end));

    /// <summary>Makes what has been appended durable now rather than at the next interval.</summary>
    public void RequestFlush()
    {
        Volatile.Write(ref flushThrough, ReceivedPosition);
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
        if (disposed)
        {
            return;
        }

        disposed = true;
        await abandoned.CancelAsync();
        await pipe.Writer.CompleteAsync();
        await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await wake.DisposeAsync();
        await compressor.DisposeAsync();
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
                await uploads.ThrowIfAnyFailedAsync();
                if (FlushIsDue())
                {
                    await FlushAsync();
                }

                await ConfirmIfDueAsync();
                ScheduleWake();
            }
            while (!completed);
            if (position > pending.Start)
            {
                await FlushAsync();
            }

            await uploads.AllSucceededAsync();
            await ConfirmAsync();
        }
        finally
        {
            // The writer's side must learn of a failure at its next append instead of waiting for room for ever.
            await pipe.Reader.CompleteAsync();
            await abandoned.CancelAsync();
            await uploads.AllEndedAsync();
        }
    }

    private async ValueTask ConsumeAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var limit = Math.Min(held.NextEnd, segment.Range.End);
            var count = (int)Math.Min((ulong)bytes.Length, limit - position);
            count = Math.Min(count, compressor.Room);
            Take(bytes.Span[..count]);
            bytes = bytes[count..];
            if (compressor.Room == 0)
            {
                compressor.EndBlock(IsFarBehind);
                await CollectFramesAsync(all: false);
            }

            if (position == limit)
            {
                await AtBoundaryAsync();
            }
        }

        await KeepBoundsAsync();
    }

    private void Take(ReadOnlySpan<byte> bytes)
    {
        frameIsPending |= position >= pending.Start;
        if (position == pending.Start)
        {
            firstUnflushed = clock.GetTimestamp();
        }

        observer.Observe(bytes);
        segment.AddContent(bytes);
        compressor.Append(bytes);
        position += (ulong)bytes.Length;
    }

    /// <summary>At the end of a chunk that the archive held before: is this the same log? At the end of the segment: up with it.</summary>
    private async ValueTask AtBoundaryAsync()
    {
        await CutFrameAsync();
        while (held.TryTakeEndingAt(position, out var chunk))
        {
            if (await archive.FindFaultAsync(chunk, segment.Range.Start, segment.ContentSha256(), abandoned.Token) is { } fault)
            {
                LogUnreliableChunk(fault);
                healing = true;
            }
            else
            {
                AddDurable(chunk.Range);
            }

            segment.AddChunk(chunk, merge.Start);
        }

        if (position == segment.Range.End)
        {
            await EndSegmentAsync();
        }
    }

    /// <summary>Holds no more in memory than was said, however slow the store and however large the segment.</summary>
    private async ValueTask KeepBoundsAsync()
    {
        LargestStretchBytes = Math.Max(LargestStretchBytes, Math.Max(pending.StoredBytes, merge.StoredBytes));
        if (pending.StoredBytes <= PendingBytes && merge.StoredBytes <= MergeBytes + PendingBytes)
        {
            return;
        }

        if (position > pending.Start || healing)
        {
            await FlushAsync();
            return;
        }

        // All of this comes again and is in the archive: no merged chunk will need it.
        await CutFrameAsync();
        RestartMerge();
    }

    /// <summary>Ends the frame, so that what was received so far can be put.</summary>
    private async ValueTask CutFrameAsync()
    {
        compressor.EndBlock(IsFarBehind);
        await CollectFramesAsync(all: true);
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

    /// <summary>Puts finished frames where they belong, in order; waits only for as many as must be finished.</summary>
    private async ValueTask CollectFramesAsync(bool all)
    {
        while (all ? compressor.HasFrames : compressor.IsBusy)
        {
            await compressor.TakeFrameAsync(TakeFrameAsync);
        }
    }

    private async ValueTask TakeFrameAsync(ReadOnlyMemory<byte> frame)
    {
        await segment.AddCompressedAsync(frame, abandoned.Token);
        merge.Append(frame.Span);
        if (frameIsPending)
        {
            pending.Append(frame.Span);
        }
    }

    private bool FlushIsDue()
    {
        if (position <= pending.Start || !uploads.Chunk.IsCompleted)
        {
            return false;
        }

        // Bytes that exist already will fill the segment by themselves: putting them as chunks first would send them twice.
        var fillsItself = SourceEnd >= segment.Range.End;
        return Volatile.Read(ref flushThrough) > pending.Start
            || options.Synchronous
            || (!fillsItself && position - pending.Start >= (ulong)options.FlushBytes)
            || clock.GetElapsedTime(firstUnflushed) >= options.FlushInterval;
    }

    /// <summary>Puts what is not yet durable of the open segment as one chunk, or together with the chunks before it as a merged one.</summary>
    private async Task FlushAsync()
    {
        await CutFrameAsync();
        var full = merge.StoredBytes > MergeBytes;
        var merged = full || healing || segment.Mergeable.Count >= ChunksPerMerge;
        var stretch = merged ? merge : pending;
        var range = new LogRange(stretch.Start, position);
        var seal = Seal(range, stretch.Times);
        var chunk = archive.Names.NewChunk(lineage, range);
        var (content, recorded, superseded) = (stretch.Copy(), TakeMarks(), merged ? segment.TakeMergeable() : []);
        await uploads.BeginChunkAsync(() => publisher.PutChunkAsync(chunk, seal, content, recorded, superseded, abandoned.Token));
        segment.AddChunk(chunk, merge.Start);
        pending.Restart(position);
        healing = false;
        if (full)
        {
            RestartMerge();
        }
    }

    /// <summary>What was merged so far stays as it is; the next merged chunk begins here.</summary>
    private void RestartMerge()
    {
        merge.Restart(position);
        segment.Mergeable.Clear();
    }

    private async Task EndSegmentAsync()
    {
        var ended = segment;
        var seal = Seal(ended.Range, ended.Times);
        var piece = archive.Names.NewSegment(lineage, ended.Range);
        var before = held.SegmentEndingAt(position);
        if (before is not null && before.Key != piece.Key
            && await archive.FindFaultAsync(before, ended.Range.Start, seal.ContentSha256, abandoned.Token) is { } fault)
        {
            LogUnreliableSegment(fault);
        }

        var (lastChunk, recorded) = (uploads.Chunk, TakeMarks());
        await uploads.BeginSegmentAsync(() => publisher.SealSegmentAsync(ended, piece, seal, recorded, lastChunk, abandoned.Token));
        if (before is not null)
        {
            // It is compared with what the archive holds before anything behind it may be put: a copy of the source must not leave a trace.
            await uploads.AllSucceededAsync();
        }

        segment = Open(position);
        pending.Restart(Math.Max(position, pending.Start));
        merge.Restart(position);
        healing = false;
    }

    private void AddDurable(LogRange range)
    {
        frontier.Add(range);
        durableAdvanced();
    }

    private async Task ConfirmIfDueAsync()
    {
        if (clock.GetElapsedTime(lastConfirmed) >= options.ConfirmInterval)
        {
            compressor.Trim();
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

        // A chunk on its way wakes the loop when it has ended; until then no other can begin.
        if (position > pending.Start && uploads.Chunk.IsCompleted)
        {
            var flush = options.FlushInterval - clock.GetElapsedTime(firstUnflushed);
            due = flush < due ? flush : due;
        }

        wake.Change(due < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : due, Timeout.InfiniteTimeSpan);
    }

    private OpenSegment Open(ulong start)
    {
        var range = new LogRange(start, archive.Naming.SegmentAt(start).End);
        var name = archive.Naming.Name(lineage, range);
        if (!archive.Naming.TryParse(name, out var named, out var whole) || named != lineage || whole != range)
        {
            throw new ArgumentException(
                $"A log cannot be written from {archive.Naming.Format(start)} on: '{name}' is the name of another range. Begin at the start of a segment.", nameof(start));
        }

        var upload = new ObjectWriter(archive.Store, archive.Names.SegmentKey(lineage, range), protection: Protection.Locked);
        return new OpenSegment(range, new StoredWriter(upload, archive.Key));
    }

    /// <summary>What is known of a piece before it is stored; the publisher adds what it became.</summary>
    private LogSeal Seal(LogRange range, LogTimes times) => new()
    {
        Lineage = lineage,
        Start = range.Start,
        End = range.End,
        HashedFrom = segment.Range.Start,
        ContentSha256 = segment.ContentSha256(),
        StoredBytes = 0,
        StoredSha256 = "",
        Earliest = times.Earliest,
        Latest = times.Latest,
        Arrivals = LogWindow.Encode(times.Windows, range.Start),
        AsOf = moments.Peek(range.End),
    };

    private List<LogMark> TakeMarks()
    {
        List<LogMark> taken = [.. marks];
        marks.Clear();
        return taken;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Fault} It is passed over: the next chunk or the whole segment will hold its bytes again.")]
    private partial void LogUnreliableChunk(string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Fault} It is left as it is: the segment is put beside it, as this agent is set to write it.")]
    private partial void LogUnreliableSegment(string fault);
}
