using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Verification;

/// <summary>
/// A small repository with an object of every kind: two base backups with a tablespace, whole segments of two timelines, a history, restore points, a recorded gap
/// between the backups, an open tail and its confirmation, and the proofs of a verification.
/// </summary>
public class FullRepository : IAsyncLifetime
{
    /// <summary>What an agent must be told to read it.</summary>
    internal virtual IReadOnlyDictionary<string, string?> Settings { get; } = new Dictionary<string, string?>();

    internal MemoryObjectStore Store { get; } = new();

    /// <summary>A clock that stands an hour after all that.</summary>
    internal ManualClock Later { get; } = new(TimeProvider.System.GetUtcNow().AddHours(1));

    public string FirstBackup { get; private set; } = "";

    /// <summary>What lies before this no restore needs.</summary>
    internal ulong NeededFrom { get; private set; }

    public string SecondBackup { get; private set; } = "";

    /// <summary>Where the tablespace goes in a restore.</summary>
    internal string Move(string to) => $"{TablespaceLocation}={to}";

    private string TablespaceLocation { get; set; } = "";

    public async ValueTask InitializeAsync()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            WalSegmentMegabytes = 1,
            ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off", ["autovacuum"] = "off", ["restore_command"] = "false" },
        });
        TablespaceLocation = await server.CreateServerDirectoryAsync("elsewhere");
        await server.ExecuteAsync($"CREATE TABLESPACE elsewhere LOCATION '{TablespaceLocation}'");
        await server.ExecuteAsync("CREATE TABLE there TABLESPACE elsewhere AS SELECT 1 AS n");
        await server.ExecuteAsync(Ledger.Create);
        await using (var plain = Agent.For(server, Store))
        {
            await plain.StartTailAsync();
            FirstBackup = await plain.BackUpAsync();
            await server.ExecuteAsync("SELECT pg_create_restore_point('one')");
            await plain.CatchUpAsync(server);
        }

        await using var agent = Agent.For(server, Store, Settings);
        await agent.StartTailAsync();
        await server.ExecuteAsync("CREATE TABLE ballast AS SELECT g, md5(g::text) FROM generate_series(1, 25000) g");
        await server.ExecuteAsync("DROP TABLE ballast; INSERT INTO there VALUES (2)");
        await Ledger.AppendAsync(server, 1);
        await server.ExecuteAsync("SELECT pg_create_restore_point('two')");
        SecondBackup = await agent.BackUpAsync();
        await Ledger.AppendAsync(server, 2);
        await agent.CatchUpAsync(server);
        await LeaveGapAsync(agent);
        var first = (await agent.Catalog.ListBackupsAsync(CancellationToken.None))[0];
        NeededFrom = first.SegmentSize.RoundDown(first.Start).Value;

        // A server on its own gets a new timeline by recovering from its own files.
        await server.StopAsync();
        await File.WriteAllTextAsync(Path.Combine(server.DataDirectory, "recovery.signal"), "");
        await server.StartAgainAsync();
        await Eventually.TrueAsync(() => agent.Source.Status is { IsStreaming: true, Lineage: "00000002" }, "timeline 2 is streamed");
        await Ledger.AppendAsync(server, 3);
        await server.ExecuteAsync("SELECT pg_create_restore_point('three')");
        var end = Lsn.Parse(await agent.CatchUpAsync(server)).Value;

        // The newest chunk is known by the confirmation alone, and on a slow machine an agent that stops may not have heard yet that there is nothing behind it.
        await Eventually.TrueAsync(
            async () => (await agent.InventoryAsync()).Confirmation is { Lineage: "00000002" } confirmed && confirmed.Position >= end, "the end of timeline 2 is confirmed");
        await agent.StopTailAsync();
        await using var verifier = Reader(Store);
        (await verifier.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>An agent that only reads, an hour later.</summary>
    internal Agent Reader(IObjectStore store) => Agent.For(null, store, Settings, clock: Later);

    /// <summary>A copy that a test may damage.</summary>
    /// <param name="without">Objects that are left out: proofs, so that what they tell of is read again.</param>
    internal OverlaidStore Copy(string? without = null) => new(Store, key => without is null || !key.Value.StartsWith(without, StringComparison.Ordinal));

    /// <summary>One segment between the backups is lost, and recorded as lost.</summary>
    private async Task LeaveGapAsync(Agent agent)
    {
        var inventory = await agent.InventoryAsync();
        var second = (await agent.Catalog.ListBackupsAsync(CancellationToken.None)).Single(b => b.Sealed.Id.ToString() == SecondBackup);
        var lost = inventory.Pieces.Where(p => p.IsSegment && p.Range.End <= second.Start.Value).OrderBy(p => p.Range.Start).Last(p => !HoldsMark(p));
        await Store.RemoveAsync(new ObjectKey(lost.Name));
        await (await agent.LogAsync()).RecordGapAsync(
            new LogGap(lost.Lineage, lost.Range.Start, lost.Range.End, "requested WAL segment has already been removed", Later.GetUtcNow()), CancellationToken.None);

        bool HoldsMark(LogPiece piece) => Store.ListAsync("postgres/wal/marks/").Result.Any(mark =>
            piece.Range.Contains(ulong.Parse(mark.Key.Name[9..25], System.Globalization.NumberStyles.AllowHexSpecifier, null)));
    }
}

/// <summary>The same, in which encryption was turned on behind the first backup: a part of it is plain and believed, all that follows is encrypted.</summary>
public sealed class EncryptedFullRepository : FullRepository
{
    internal override IReadOnlyDictionary<string, string?> Settings { get; } =
        new Dictionary<string, string?> { ["Repository:Encryption:Key"] = Convert.ToBase64String([.. Enumerable.Range(1, 32).Select(i => (byte)i)]) };
}
