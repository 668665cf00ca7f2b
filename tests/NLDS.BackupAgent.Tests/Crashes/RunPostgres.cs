using System.Globalization;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Testing;
using NpgsqlTypes;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>
/// The daemon on an empty store, beside a server that is written to: its slot, its first base backup, flushes, the end of a segment whose chunks give way to it, and its
/// stop. What it acknowledged before it was killed is in the store; the next one finds to the level of the server by itself, without a gap.
/// </summary>
internal sealed class RunPostgres(PostgresServer server) : PostgresVerb(
    server,
    [("Postgres__FullBackup__Schedule", "* * * * * ?"), ("Postgres__Wal__FlushInterval", "00:00:00.1"), ("Agent__Urls", $"http://127.0.0.1:{FreePorts.Take(1)[0]}")])
{
    private const string Restart = "SELECT coalesce(max(restart_lsn)::text, '0/0') FROM pg_replication_slots";
    private const string Ledger = "SELECT string_agg(line::text, ',' ORDER BY line) FROM ledger";

    /// <summary>Where the server was before the daemon ran.</summary>
    private ulong before;

    protected override IReadOnlyList<string> Words { get; } = ["run"];

    protected override Func<CancellationToken, Task>? WhileRunning => async gone =>
    {
        await WriteAsync("'short'");
        await LevelAsync(gone);
        await WriteAsync("repeat(md5(random()::text), 40000)");
        await LevelAsync(gone);
    };

    private bool IsBackedUp => Directory.Exists(Path.Combine(Store, "postgres/full"))
        && Directory.EnumerateFiles(Path.Combine(Store, "postgres/full"), "manifest.json", SearchOption.AllDirectories).Any();

    /// <summary>Without a slot too, which a daemon that was killed holds until the server sees that it is gone.</summary>
    protected override async Task PrepareAsync()
    {
        await base.PrepareAsync();
        await Eventually.TrueAsync(() => Server.ScalarAsync<bool>("SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE active)"), "nobody holds the slot");
        await Server.ExecuteAsync(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots; DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (line bigserial, payload text)");
        before = Position(await Server.ScalarAsync<string>("SELECT pg_current_wal_lsn()::text"));
    }

    protected override async Task RequireUnbrokenAsync() => Position(await Server.ScalarAsync<string>(Restart)).ShouldBeLessThanOrEqualTo(Durable(), "WAL was acknowledged that is not in the store");

    protected override async Task RunAgainAsync()
    {
        var end = await RunAsync();
        end.Code.ShouldBe(ExitCode.Done, end.Output);
    }

    protected override async Task RequireDoneAsync()
    {
        await RequireUnbrokenAsync();
        JsonNode.Parse(await Agent.RunAsync("list", "postgres", "--json"))!["sources"]![0]!["log"]!["gaps"]!.AsArray().ShouldBeEmpty();
        await RequireRestorableAsync();
        await using var restored = await PostgresServer.StartOnDirectoryAsync(Target, Server.Major);
        await Eventually.TrueAsync(() => restored.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the restored server promotes", details: restored.ReadLog);
        (await restored.ScalarAsync<string>(Ledger)).ShouldBe(await Server.ScalarAsync<string>(Ledger));
    }

    private Task WriteAsync(string payload) => Server.ExecuteAsync($"INSERT INTO ledger (payload) VALUES ({payload})");

    /// <summary>There is a backup, and all that the server has written is acknowledged.</summary>
    private async Task LevelAsync(CancellationToken gone)
    {
        var written = Position(await Server.ScalarAsync<string>("SELECT pg_current_wal_lsn()::text"));
        await Eventually.TrueAsync(
            async () => gone.IsCancellationRequested || (IsBackedUp && Position(await Server.ScalarAsync<string>(Restart)) >= written),
            "the daemon has taken a backup and the log");
        gone.ThrowIfCancellationRequested();
    }

    /// <summary>How far the log in the store goes on without a hole, by the names of its files: segments, and chunks of the open one.</summary>
    private ulong Durable()
    {
        List<(ulong Start, ulong End)> pieces = [.. Directory.Exists(Store) ? Directory.EnumerateFiles(Store, "*.zst", SearchOption.AllDirectories).Select(Piece).OfType<(ulong, ulong)>() : []];
        var end = before;
        while (pieces.Where(piece => piece.Start <= end && piece.End > end).Select(piece => piece.End).DefaultIfEmpty().Max() is > 0 and var next)
        {
            end = next;
        }

        return end;
    }

    private static (ulong Start, ulong End)? Piece(string file) => Path.GetFileNameWithoutExtension(file).Split('-') switch
    {
        [{ Length: 8 }, { Length: 16 } start, { Length: 16 } end] => (Hexadecimal(start), Hexadecimal(end)),
        [{ Length: 24 } segment] => (SegmentStart(segment), SegmentStart(segment) + (1 << 20)),
        _ => null,
    };

    /// <summary>A segment of 1 MB: its number's last three digits are those within 4 GB.</summary>
    private static ulong SegmentStart(string name) => (Hexadecimal(name[8..16]) << 32) + (Hexadecimal(name[16..]) << 20);

    private static ulong Hexadecimal(string digits) => ulong.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static ulong Position(string lsn) => (ulong)NpgsqlLogSequenceNumber.Parse(lsn);
}
