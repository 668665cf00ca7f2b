using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Testing.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace NLDS.BackupAgent.Storage.Tests.Resilience;

public sealed class ResumingReadStreamTests : IDisposable
{
    private static readonly ObjectKey Key = new("a/b");
    private static readonly byte[] Content = [.. Enumerable.Range(0, 200).Select(number => (byte)number)];
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly RetriesFixture fixture = new();

    public void Dispose() => fixture.Dispose();

    [Theory]
    [InlineData(0, null)]
    [InlineData(0, 200)]
    [InlineData(13, 100)]
    [InlineData(199, null)]
    public async Task A_body_that_breaks_off_goes_on_where_it_was(int offset, int? length)
    {
        await fixture.Memory.PutIfAbsentAsync(Key, Content, None);

        // Six openings break off half way of what was left.
        fixture.Faulty.FailWhen((call, _) => call <= 6 ? Fault.HalfBody : null);
        (await fixture.PassAsync(ReadAsync(offset, length))).ShouldBe(Content.Skip(offset).Take(length ?? int.MaxValue));
        fixture.Faulty.Calls.ShouldBe(7);
    }

    [Fact]
    public async Task A_body_that_falls_silent_is_opened_again()
    {
        await fixture.Memory.PutIfAbsentAsync(Key, Content, None);
        var silent = new SilentBody(version: "1");
        await using var body = Resuming(fixture.Memory, silent);
        var read = body.ReadAsync(new byte[10], None).AsTask();
        await silent.Reached;
        fixture.Clock.Advance(fixture.Options.AttemptTimeout + TimeSpan.FromSeconds(1));
        (await fixture.PassAsync(read)).ShouldBe(10);
    }

    [Fact]
    public async Task The_reader_can_cancel_a_silent_body()
    {
        var silent = new SilentBody(version: "1");
        await using var body = Resuming(fixture.Memory, silent);
        using var cancellation = new CancellationTokenSource();
        var read = body.ReadAsync(new byte[10], cancellation.Token).AsTask();
        await silent.Reached;
        await cancellation.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => read);
    }

    [Fact]
    public async Task A_register_that_changed_meanwhile_is_not_mixed_with_what_it_was()
    {
        var store = new OneBodyStore(fixture.Memory, new SilentBody(version: "2"));
        var silent = new SilentBody(version: "1");
        await using var body = Resuming(store, silent);
        var read = body.ReadAsync(new byte[10], None).AsTask();
        await silent.Reached;
        fixture.Clock.Advance(fixture.Options.AttemptTimeout + TimeSpan.FromSeconds(1));
        var thrown = await Should.ThrowAsync<ObjectStoreException>(() => fixture.PassAsync(read));
        thrown.Message.ShouldContain("was replaced while it was being read");
    }

    private ResumingReadStream Resuming(IObjectStore store, Stream body) => new(
        store,
        new RetryPolicy(store.Description, fixture.Options, new StorageMetrics(meters: null), NullLogger.Instance, fixture.Clock),
        Key,
        body,
        offset: 0,
        length: null);

    private async Task<byte[]> ReadAsync(int offset, int? length)
    {
        await using var body = await fixture.Store.OpenReadAsync(Key, offset, length, None);
        using var copy = new MemoryStream();
        await body.CopyToAsync(copy);
        return copy.ToArray();
    }

    /// <summary>A connection that is open and says nothing.</summary>
    private sealed class SilentBody(string version) : ForwardReadStream
    {
        private readonly TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override string? Version => version;

        public Task Reached => reached.Task;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            reached.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return 0;
        }
    }

    private sealed class OneBodyStore(IObjectStore inner, Stream body) : IObjectStore
    {
        public string Description => inner.Description;

        public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) => Task.FromResult(body);

        public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            inner.PutIfAbsentAsync(key, content, cancellationToken);

        public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            inner.ReplaceAsync(key, content, cancellationToken);

        public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.BeginUploadAsync(key, cancellationToken);

        public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

        public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken) =>
            inner.ListAsync(prefix, startAfter, cancellationToken);

        public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => inner.DeleteAsync(keys, cancellationToken);
    }
}
