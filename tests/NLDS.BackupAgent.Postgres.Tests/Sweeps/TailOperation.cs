using NLDS.BackupAgent.Postgres.Tests.Tail;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>A tail from its start through flushes and the end of a segment, whose chunks give way to it, to its stop.</summary>
internal sealed class TailOperation(PostgresServer server) : SweptOperation
{
    private Lsn written;
    private Lsn acknowledgedBefore;

    public override async Task<MemoryObjectStore> PrepareAsync()
    {
        acknowledgedBefore = await AcknowledgedAsync();
        return new MemoryObjectStore();
    }

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = TestAgent.Start(server, store);
        written = await server.WriteAsync(20);
        await UntilAsync(agent, () => agent.Durable >= written, isForEver, cancellationToken);
        written = await server.WriteAsync(1100);
        await UntilAsync(agent, () => agent.Durable >= written, isForEver, cancellationToken);
        await agent.StopAsync();
        agent.Durable.ShouldBeGreaterThanOrEqualTo(written);
    }

    public override async Task RequireUnbrokenAsync(IObjectStore store)
    {
        var acknowledged = await AcknowledgedAsync();
        var pieces = (await ArchivedWal.InventoryAsync(store)).Pieces;

        // Segments are put beside one another: the later one may be there without the earlier one, and nothing behind the hole was acknowledged.
        var durable = pieces.Count > 0 ? (await ArchivedWal.ReadAsync(store, from: new Lsn(pieces.Min(piece => piece.Range.Start)))).End : acknowledgedBefore;
        acknowledged.ShouldBeLessThanOrEqualTo(Lsn.Max(durable, acknowledgedBefore), "WAL was acknowledged that is not durable");
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await RequireUnbrokenAsync(store);
        var archived = await ArchivedWal.ReadAsync(store);
        archived.End.ShouldBeGreaterThanOrEqualTo(written);
        archived.Inventory.Gaps.ShouldBeEmpty();
        archived.ShouldEqualFilesIn(server.WalDirectory()).ShouldBeGreaterThanOrEqualTo(1);
        archived.Inventory.Pieces.Where(piece => !piece.IsSegment && archived.Inventory.Pieces.Any(p => p.IsSegment && p.Range.Contains(piece.Range.Start)))
            .ShouldBeEmpty("chunks of a finished segment were left");
    }

    private async Task<Lsn> AcknowledgedAsync() => Lsn.Parse(await server.ScalarAsync<string>("SELECT coalesce(max(restart_lsn)::text, '0/0') FROM pg_replication_slots"));

    private static async Task UntilAsync(TestAgent agent, Func<bool> isDone, bool isForEver, CancellationToken cancellationToken)
    {
        await Eventually.TrueAsync(
            () => isDone() || agent.Running.IsCompleted || cancellationToken.IsCancellationRequested || (isForEver && agent.Status.LastError is not null),
            "the tail is done",
            details: () => agent.Status.ToString());
        if (isDone())
        {
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        await (agent.Running.IsCompleted ? agent.Running : Task.CompletedTask);
        throw new SourceException(agent.Status.LastError ?? "The tail ended before its time.", isPermanent: false);
    }
}
