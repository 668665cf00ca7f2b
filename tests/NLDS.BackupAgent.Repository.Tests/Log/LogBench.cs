using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Log;

/// <summary>One log, one store and a clock that stands still; writers come and go over them as an agent's lives do.</summary>
internal sealed class LogBench
{
    public const string Lineage = "A1";

    /// <param name="keys">In base64, separated by white space; null for an unencrypted log.</param>
    public LogBench(IObjectStore store, byte[] content, Codec codec = Codec.Zstd, int segmentBytes = 1 << 20, string? keys = null)
    {
        Store = store;
        Content = content;
        Naming = new FixedNaming(segmentBytes);
        Archive = new LogArchive(store, "source/log", Naming, codec, level: 3, new DocumentStore(store, Keyring.Parse(keys, out _)));
    }

    public IObjectStore Store { get; }

    /// <summary>The log from its position 0 on.</summary>
    public byte[] Content { get; set; }

    public FixedNaming Naming { get; }

    public LogArchive Archive { get; }

    public ManualClock Clock { get; } = new();

    /// <summary>Half text, half noise: what a log is like.</summary>
    public static byte[] Random(int seed, int bytes)
    {
        var random = new Random(seed);
        var content = new byte[bytes];
        for (var at = 0; at < bytes; at += 512)
        {
            var block = content.AsSpan(at, Math.Min(512, bytes - at));
            if (random.Next(2) == 0)
            {
                random.NextBytes(block);
            }
            else
            {
                block.Fill((byte)random.Next(256));
            }
        }

        return content;
    }

    public LivingWriter Open(
        ulong start = 0, IEnumerable<LogPiece>? held = null, LogWriterOptions? options = null, FakeObserver? observer = null) =>
        new(this, start, held ?? [], options ?? new LogWriterOptions(), observer ?? new FakeObserver(Lineage, start));

    /// <summary>What an agent does when it starts: reads what the archive holds, and begins at the segment in which it ends.</summary>
    public async Task<LivingWriter> ResumeAsync(LogWriterOptions? options = null, FakeObserver? observer = null)
    {
        var inventory = await Archive.ReadInventoryAsync(TestContext.Current.CancellationToken);
        var start = Naming.SegmentAt(inventory.Cover(Lineage, 0).End).Start;
        return Open(start, inventory.Pieces.Where(p => p.Range.End > start), options, observer);
    }

    /// <summary>The log as a restore would read it, as far as it reaches.</summary>
    public async Task<byte[]> RestoreAsync()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var cover = (await Archive.ReadInventoryAsync(cancellation)).Cover(Lineage, 0);
        var restored = new byte[cover.End];
        foreach (var piece in cover.Pieces)
        {
            using var target = new MemoryStream();
            await Archive.CopyAsync(piece, target, cancellation);
            target.ToArray().CopyTo(restored, (int)piece.Range.Start);
        }

        return restored;
    }

    /// <summary>All keys of the store.</summary>
    public async Task<List<string>> KeysAsync(string prefix = "source/log/")
    {
        var keys = new List<string>();
        await foreach (var entry in Store.ListAsync(prefix, null, TestContext.Current.CancellationToken))
        {
            keys.Add(entry.Key.Value);
        }

        return keys;
    }

    public async Task<List<LogPiece>> ChunksAsync() =>
        [.. (await Archive.ReadInventoryAsync(TestContext.Current.CancellationToken)).Pieces.Where(p => !p.IsSegment)];

    /// <summary>One life of a writer, with what it acknowledged in it.</summary>
    internal sealed class LivingWriter : IAsyncDisposable
    {
        private readonly LogBench bench;
        private readonly Lock gate = new();
        private TaskCompletionSource advanced = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LivingWriter(LogBench bench, ulong start, IEnumerable<LogPiece> held, LogWriterOptions options, FakeObserver observer)
        {
            this.bench = bench;
            Observer = observer;
            Acknowledged = start;
            Writer = new LogWriter(
                bench.Archive, options, Lineage, start, held, observer, OnAdvanced, bench.Clock, NullLogger.Instance);
        }

        public LogWriter Writer { get; private set; }

        public FakeObserver Observer { get; }

        /// <summary>The furthest position that was ever seen as durable.</summary>
        public ulong Acknowledged { get; private set; }

        /// <summary>True when the durable position was ever seen to go back, or to be beyond what was received.</summary>
        public bool BrokeItsWord { get; private set; }

        /// <summary>Appends the log up to <paramref name="end"/>.</summary>
        public async Task AppendToAsync(ulong end)
        {
            var start = (int)Writer.ReceivedPosition;
            await Writer.AppendAsync(bench.Content.AsMemory(start, (int)end - start), TestContext.Current.CancellationToken);
            Look();
        }

        /// <summary>Appends up to <paramref name="end"/> and waits until it is durable.</summary>
        public async Task FlushToAsync(ulong end)
        {
            await AppendToAsync(end);
            Writer.RequestFlush();
            await UntilDurableAsync(end);
        }

        public async Task UntilDurableAsync(ulong position)
        {
            while (true)
            {
                Task next;
                lock (gate)
                {
                    next = advanced.Task;
                }

                Look();
                if (Acknowledged >= position)
                {
                    return;
                }

                var first = await Task.WhenAny(next, Writer.Completion);
                await first;
                if (first == Writer.Completion && Writer.DurablePosition < position)
                {
                    throw new InvalidOperationException($"The writer ended at {Writer.DurablePosition}.");
                }
            }
        }

        /// <summary>Lets the time pass in steps until something has happened; the writer's own threads decide in which step.</summary>
        public async Task AdvanceUntilAsync(Func<bool> happened, TimeSpan step)
        {
            while (!happened())
            {
                bench.Clock.Advance(step);
                await Task.Yield();
            }
        }

        public async Task CompleteAsync()
        {
            await Writer.CompleteAsync();
            Look();
        }

        public ValueTask DisposeAsync() => Writer.DisposeAsync();

        private void OnAdvanced()
        {
            Look();
            lock (gate)
            {
                advanced.TrySetResult();
                advanced = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        private void Look()
        {
            lock (gate)
            {
                // The first bytes may become durable before the constructor has returned.
                if (Writer is null)
                {
                    return;
                }

                var durable = Writer.DurablePosition;
                BrokeItsWord |= durable < Acknowledged || durable > Writer.ReceivedPosition;
                Acknowledged = Math.Max(Acknowledged, durable);
            }
        }
    }
}
