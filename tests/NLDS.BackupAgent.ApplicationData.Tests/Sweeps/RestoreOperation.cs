using System.Text;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.ApplicationData.Tests.Sweeps;

/// <summary>Rows and keys that are gone come back.</summary>
internal sealed class RestoreOperation(Bench bench) : SweptOperation
{
    private string? model;

    public override async Task<MemoryObjectStore> PrepareAsync()
    {
        model ??= await ContentAsync();
        await bench.ExecuteAsync("TRUNCATE user_sessions; DELETE FROM api_keys WHERE key_id % 2 = 0; UPDATE api_keys SET key_name = 'changed'");
        await bench.RedisAsync("FLUSHALL");
        return await bench.Store.CopyAsync();
    }

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        var source = bench.SourceOver(store);
        var plan = await source.PlanRestoreAsync(new RestoreRequest(), cancellationToken);
        (await source.RestoreAsync(plan, new Progress<TransferProgress>(), cancellationToken)).NotRestored.ShouldBeEmpty();
    }

    public override async Task RequireDoneAsync(IObjectStore store) => (await ContentAsync()).ShouldBe(model);

    private async Task<string> ContentAsync()
    {
        var keys = await bench.RedisAsync("DEBUG", "DIGEST");
        return string.Join('\n', await bench.RowsAsync("user_sessions"), await bench.RowsAsync("api_keys"), Encoding.ASCII.GetString(keys.Bytes!));
    }
}
