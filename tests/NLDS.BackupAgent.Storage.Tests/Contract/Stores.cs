using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Directories;
using NLDS.BackupAgent.Storage.Limits;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests.Contract;

public sealed class A_memory_store : ObjectStoreContract
{
    protected override Task<IObjectStore> OpenAsync() => Task.FromResult<IObjectStore>(new MemoryObjectStore());
}

public class A_directory_store : ObjectStoreContract
{
    private readonly TemporaryDirectory folder = new();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected override Task<IObjectStore> OpenAsync() => Task.FromResult<IObjectStore>(
        new DirectoryObjectStore(folder["backups"], TimeProvider.System, NullLogger<DirectoryObjectStore>.Instance));
}

public class An_S3_store(SharedCephGateway gateway) : ObjectStoreContract
{
    protected override Task<IObjectStore> OpenAsync() => gateway.OpenStoreAsync();
}

public sealed class A_retried_memory_store : ObjectStoreContract
{
    protected override Task<IObjectStore> OpenAsync() => Task.FromResult(Retrying.Over(new MemoryObjectStore()));
}

public sealed class A_retried_directory_store : A_directory_store
{
    protected override async Task<IObjectStore> OpenAsync() => Retrying.Over(await base.OpenAsync());
}

public sealed class A_retried_S3_store(SharedCephGateway gateway) : An_S3_store(gateway)
{
    protected override async Task<IObjectStore> OpenAsync() => Retrying.Over(await base.OpenAsync());
}

public sealed class A_limited_memory_store : ObjectStoreContract
{
    /// <summary>Much more than the tests send in a second: they are about what the store does, not about how fast.</summary>
    private const long BytesPerSecond = 10L << 30;

    protected override Task<IObjectStore> OpenAsync() => Task.FromResult<IObjectStore>(new LimitedObjectStore(
        new MemoryObjectStore(),
        new LimitsOptions(),
        new BandwidthLimit(BytesPerSecond, _ => { }, TimeProvider.System),
        new BandwidthLimit(BytesPerSecond, _ => { }, TimeProvider.System)));
}

internal static class Retrying
{
    public static IObjectStore Over(IObjectStore store) => new RetryingObjectStore(
        store, new RetryOptions(), new StorageMetrics(meters: null), NullLogger<RetryingObjectStore>.Instance, TimeProvider.System);
}
