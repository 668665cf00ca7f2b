using NLDS.BackupAgent.Storage.Tests;
using NLDS.BackupAgent.Testing.Ceph;

[assembly: AssemblyFixture(typeof(SharedCephGateway))]

namespace NLDS.BackupAgent.Storage.Tests;

/// <summary>One gateway for all tests here, started by the first that asks, so that a filtered run without S3 need not wait for it.</summary>
public sealed class SharedCephGateway : IAsyncDisposable
{
    public const string Bucket = "nlds-backups";

    private readonly Lazy<Task<CephGateway>> gateway = new(async () =>
    {
        var started = await CephGateway.StartAsync(CancellationToken.None);
        await started.CreateBucketAsync(Bucket, CancellationToken.None);
        return started;
    });

    public Task<CephGateway> GetAsync() => gateway.Value;

    /// <summary>A store of the caller's own in the shared bucket.</summary>
    public async Task<IObjectStore> OpenStoreAsync() => (await GetAsync()).OpenStore(Bucket, $"tests/{Guid.NewGuid():N}");

    public async ValueTask DisposeAsync()
    {
        // One that did not start has been disposed already, and the tests have said so.
        if (gateway.IsValueCreated && gateway.Value.IsCompletedSuccessfully)
        {
            await (await gateway.Value).DisposeAsync();
        }
    }
}
