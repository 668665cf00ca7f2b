using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Leases;

public sealed class FencedObjectStoreTests
{
    private static readonly ObjectKey Key = new("postgres/wal/x");

    [Fact]
    public void Nothing_of_the_store_behind_it_is_answered_by_a_default()
    {
        var map = typeof(FencedObjectStore).GetInterfaceMap(typeof(IObjectStore));

        map.InterfaceMethods.Zip(map.TargetMethods).Where(pair => pair.Second.DeclaringType != typeof(FencedObjectStore)).Select(pair => pair.First.Name).ShouldBeEmpty();
    }

    [Fact]
    public async Task Without_the_lease_everything_can_be_read_and_nothing_changed()
    {
        var store = new MemoryObjectStore();
        await store.PutIfAbsentAsync(Key, new byte[3], CancellationToken.None);
        var fenced = new LeaseAgent(store, "agent").Lease.Fence(store);

        (await fenced.HeadAsync(Key, CancellationToken.None)).ShouldNotBeNull();
        Func<Task>[] changes =
        [
            () => fenced.PutIfAbsentAsync(new ObjectKey("postgres/wal/y"), new byte[1], CancellationToken.None),
            () => fenced.PutIfAbsentAsync(new ObjectKey("postgres/wal/y"), new byte[1], Protection.Locked, CancellationToken.None),
            () => fenced.ReplaceAsync(Key, new byte[1], CancellationToken.None),
            () => fenced.BeginUploadAsync(new ObjectKey("postgres/wal/y"), CancellationToken.None),
            () => fenced.DeleteAsync([Key], CancellationToken.None),
        ];
        foreach (var change in changes)
        {
            (await Should.ThrowAsync<Sources.SourceException>(change)).Message.ShouldContain("does not hold the lease");
        }
    }
}
