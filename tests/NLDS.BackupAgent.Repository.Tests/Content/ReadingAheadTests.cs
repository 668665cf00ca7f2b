using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Tests.Log;

namespace NLDS.BackupAgent.Repository.Tests.Content;

public sealed class ReadingAheadTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task All_bytes_come_in_their_order()
    {
        var content = LogBench.Random(3, 5_000_003);
        using var fed = new MemoryStream();

        await ReadingAhead.FeedAsync(new MemoryStream(content), fed.Write, None);

        fed.ToArray().AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task What_was_read_before_a_failure_is_fed_and_then_the_failure_is_told()
    {
        var content = LogBench.Random(4, 3 << 20);
        using var fed = new MemoryStream();

        await Should.ThrowAsync<InvalidDataException>(() => ReadingAhead.FeedAsync(new Broken(new MemoryStream(content)), fed.Write, None));

        fed.ToArray().AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task Nothing_is_read_any_more_when_the_consumer_has_failed()
    {
        using var source = new Broken(new MemoryStream(new byte[64 << 20]));

        await Should.ThrowAsync<FormatException>(() => ReadingAhead.FeedAsync(source, _ => throw new FormatException("no"), None));

        var read = source.Bytes;
        read.ShouldBeLessThan(64 << 20);
        await source.ReadExactlyAsync(new byte[1], None);
        source.Bytes.ShouldBe(read + 1);
    }

    [Fact]
    public async Task Who_cancels_is_obeyed()
    {
        using var cancelled = new CancellationTokenSource();
        using var source = new Broken(new MemoryStream(new byte[64 << 20]));

        await Should.ThrowAsync<OperationCanceledException>(() => ReadingAhead.FeedAsync(source, _ => cancelled.Cancel(), cancelled.Token));
    }

    /// <summary>Counts, and fails where the inner stream ends.</summary>
    private sealed class Broken(Stream inner) : ReadOnlyStream
    {
        public long Bytes { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = await inner.ReadAsync(buffer, cancellationToken);
            Bytes += count;
            return count > 0 ? count : throw new InvalidDataException("it breaks off");
        }
    }
}
