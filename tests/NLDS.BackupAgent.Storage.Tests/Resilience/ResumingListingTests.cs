using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Storage.Resilience;

namespace NLDS.BackupAgent.Storage.Tests.Resilience;

public sealed class ResumingListingTests
{
    private static readonly string[] Keys = [.. Enumerable.Range(0, 25).Select(number => $"many/{number:D2}")];

    private static CancellationToken None => CancellationToken.None;

    [Fact]
    public async Task One_listing_serves_all_pages()
    {
        var store = await BreakingStore.WithAsync(Keys);
        await using var listing = new ResumingListing(store, "many/", null, pageSize: 10, None);

        (await ReadAsync(listing, store)).ShouldBe(Keys);

        store.Begun.ShouldBe(1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    public async Task After_a_failure_it_goes_on_behind_the_last_page_that_was_delivered(int objects)
    {
        var store = await BreakingStore.WithAsync(Keys);
        await using var listing = new ResumingListing(store, "many/", null, pageSize: 10, None);
        store.BreakAfter = objects;

        (await ReadAsync(listing, store)).ShouldBe(Keys);

        store.Begun.ShouldBe(2);
    }

    [Fact]
    public async Task An_attempt_that_is_given_up_ends_the_listing_and_the_next_one_begins_anew()
    {
        var store = await BreakingStore.WithAsync(Keys);
        await using var listing = new ResumingListing(store, "many/", null, pageSize: 10, None);
        var first = await listing.NextAsync(None);

        await Should.ThrowAsync<OperationCanceledException>(() => listing.NextAsync(new CancellationToken(canceled: true)));

        string[] rest = [.. first.Select(info => info.Key.Value), .. await ReadAsync(listing, store)];
        rest.ShouldBe(Keys);
    }

    private static async Task<List<string>> ReadAsync(ResumingListing listing, BreakingStore store)
    {
        List<string> read = [];
        List<ObjectInfo> page;
        do
        {
            try
            {
                page = await listing.NextAsync(None);
            }
            catch (ObjectStoreException)
            {
                store.BreakAfter = null;
                page = await listing.NextAsync(None);
            }

            read.AddRange(page.Select(info => info.Key.Value));
        }
        while (page.Count == 10);
        return read;
    }

    /// <summary>Its listings break off after so many objects.</summary>
    private sealed class BreakingStore(MemoryObjectStore inner) : IObjectStore
    {
        public int Begun { get; private set; }

        public int? BreakAfter { get; set; }

        public string Description => inner.Description;

        public static async Task<BreakingStore> WithAsync(IEnumerable<string> keys)
        {
            var memory = new MemoryObjectStore();
            foreach (var key in keys)
            {
                await memory.PutIfAbsentAsync(new ObjectKey(key), new byte[1], None);
            }

            return new BreakingStore(memory);
        }

        public async IAsyncEnumerable<ObjectInfo> ListAsync(
            string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Begun++;
            var told = 0;
            await foreach (var info in inner.ListAsync(prefix, startAfter, cancellationToken))
            {
                yield return told++ == BreakAfter ? throw new ObjectStoreException("The listing broke off.", isPermanent: false) : info;
            }
        }

        public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
