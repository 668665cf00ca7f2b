using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Leases;

public sealed class LeaseRaceTests
{
    [Fact]
    public async Task Of_agents_that_race_for_an_epoch_exactly_one_wins()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var store = new MemoryObjectStore();
            var random = new Random(seed);
            if (random.Next(2) == 0)
            {
                await (await new LeaseAgent(store, "before").TakeAsync()).DisposeAsync();
            }

            LeaseAgent[] agents = [.. Enumerable.Range(0, 2 + random.Next(3)).Select(i => new LeaseAgent(new UnevenStore(store, seed * 10 + i), $"agent {i}"))];

            var answers = await Task.WhenAll(agents.Select(agent => Task.Run(() => agent.Lease.TryHoldAsync(CancellationToken.None))));

            answers.Count(answer => answer.Hold is not null).ShouldBe(1, $"seed {seed}");
            await Task.WhenAll(answers.Select(async answer => await (answer.Hold?.DisposeAsync() ?? ValueTask.CompletedTask)));
        }
    }

    [Fact]
    public async Task Where_the_store_replaces_what_it_should_refuse_at_most_one_wins()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var store = new MemoryObjectStore();
            var unguarded = Enumerable.Range(0, 2).Select(i => new UnguardedStore(new UnevenStore(store, seed * 10 + i))).ToList();
            LeaseAgent[] agents = [.. unguarded.Select((way, i) => new LeaseAgent(way, $"agent {i}"))];
            var racing = agents.Select(agent => Task.Run(() => agent.Lease.TryHoldAsync(CancellationToken.None))).ToArray();

            // No put takes longer than the settling: nobody's time passes before every put has arrived.
            await Eventually.TrueAsync(() => racing.Zip(unguarded).All(pair => pair.First.IsCompleted || pair.Second.HasPut), "all have put");
            await Task.WhenAll(agents.Zip(racing, (agent, race) => agent.Clock.PassUntilAsync(race, LeaseTiming.Default.Settling)));

            var holds = racing.Select(race => race.Result.Hold).OfType<LeaseHold>().ToList();

            holds.Count.ShouldBeLessThanOrEqualTo(1, $"seed {seed}");
            await Task.WhenAll(holds.Select(async hold => await hold.DisposeAsync()));
        }
    }

    /// <summary>Looks first and then replaces, as a store does that knows no If-None-Match; both see nothing, both believe to have won.</summary>
    private sealed class UnguardedStore(IObjectStore inner) : IObjectStore
    {
        public string Description => inner.Description;

        public bool? RefusesReplacement => false;

        public bool HasPut { get; private set; }

        public async Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            if (await inner.HeadAsync(key, cancellationToken) is not null)
            {
                return false;
            }

            await inner.ReplaceAsync(key, content, cancellationToken);
            HasPut = true;
            return true;
        }

        public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => inner.ReplaceAsync(key, content, cancellationToken);

        public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.BeginUploadAsync(key, cancellationToken);

        public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) => inner.OpenReadAsync(key, offset, length, cancellationToken);

        public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

        public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken) => inner.ListAsync(prefix, startAfter, cancellationToken);

        public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => inner.DeleteAsync(keys, cancellationToken);
    }

    /// <summary>Each call takes its own while, before and after, so that the steps of several agents fall between each other in every order.</summary>
    private sealed class UnevenStore(IObjectStore inner, int seed) : IObjectStore
    {
        private readonly Random random = new(seed);

        public string Description => inner.Description;

        public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            SomeTimeAsync(() => inner.PutIfAbsentAsync(key, content, cancellationToken));

        public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => SomeTimeAsync(async () =>
        {
            await inner.ReplaceAsync(key, content, cancellationToken);
            return true;
        });

        public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.BeginUploadAsync(key, cancellationToken);

        public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) =>
            SomeTimeAsync(() => inner.OpenReadAsync(key, offset, length, cancellationToken));

        public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => SomeTimeAsync(() => inner.HeadAsync(key, cancellationToken));

        public async IAsyncEnumerable<ObjectInfo> ListAsync(
            string prefix, ObjectKey? startAfter, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            List<ObjectInfo> page = [];
            await SomeTimeAsync(async () =>
            {
                await foreach (var entry in inner.ListAsync(prefix, startAfter, cancellationToken))
                {
                    page.Add(entry);
                }

                return true;
            });
            foreach (var entry in page)
            {
                yield return entry;
            }
        }

        public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => SomeTimeAsync(async () =>
        {
            await inner.DeleteAsync(keys, cancellationToken);
            return true;
        });

        private async Task<T> SomeTimeAsync<T>(Func<Task<T>> call)
        {
            await YieldsAsync();
            var result = await call();
            await YieldsAsync();
            return result;
        }

        private async Task YieldsAsync()
        {
            int yields;
            lock (random)
            {
                yields = random.Next(8);
            }

            for (var i = 0; i < yields; i++)
            {
                await Task.Yield();
            }
        }
    }
}
