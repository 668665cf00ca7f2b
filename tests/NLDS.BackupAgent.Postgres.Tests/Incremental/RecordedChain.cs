using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>The repository of a server 17 that lived through a full backup, two upon it, each with a row before it, and one row more: 1, 2, 3, 4.</summary>
public sealed class RecordedChain : IAsyncLifetime
{
    public const int Last = 4;

    internal MemoryObjectStore Store { get; } = new();

    /// <summary>The full one first.</summary>
    public List<string> Backups { get; } = [];

    public async ValueTask InitializeAsync()
    {
        await using var server = await IncrementalServer.StartAsync(17);
        await server.ExecuteAsync(Ledger.Create);
        await using var agent = IncrementalServer.AgentFor(server, Store);
        await agent.StartTailAsync();
        for (var row = 1; row < Last; row++)
        {
            await Ledger.AppendAsync(server, row);
            Backups.Add(await agent.BackUpAsync());
        }

        await Ledger.AppendAsync(server, Last);
        await agent.CatchUpAsync(server);
        await agent.StopTailAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal Task<MemoryObjectStore> CopyAsync() => Store.CopyAsync();
}
