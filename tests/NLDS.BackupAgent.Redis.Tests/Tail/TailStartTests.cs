using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Tail;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Redis.Tests.Tail;

public sealed class TailStartTests
{
    private static readonly string A = new('a', 40);
    private static readonly string B = new('b', 40);

    [Fact]
    public void Nothing_stored_means_a_whole_copy() => TailStart.Decide(Inventory([]), []).ShouldBeNull();

    [Fact]
    public void A_base_without_a_stream_behind_it_is_gone_on_from() =>
        TailStart.Decide(Inventory([]), [Base(1, A, 100)]).ShouldBe(new StreamPosition(A, 100));

    [Fact]
    public void The_stream_is_gone_on_with_where_it_ends_without_a_hole() =>
        TailStart.Decide(Inventory([(A, 100, 200), (A, 150, 250), (A, 300, 400)]), [Base(1, A, 100)]).ShouldBe(new StreamPosition(A, 250));

    [Fact]
    public void A_new_base_ahead_of_the_stream_leaves_no_hole_before_it() =>
        TailStart.Decide(Inventory([(A, 100, 200)]), [Base(1, A, 100), Base(2, A, 220)]).ShouldBe(new StreamPosition(A, 200));

    [Fact]
    public void Of_several_bases_that_were_taken_while_the_stream_stood_still_none_hides_its_end() =>
        TailStart.Decide(Inventory([(A, 100, 200)]), [Base(1, A, 100), Base(2, A, 220), Base(3, A, 240)]).ShouldBe(new StreamPosition(A, 200));

    [Fact]
    public void Bases_without_any_stream_need_it_from_the_oldest_on() =>
        TailStart.Decide(Inventory([]), [Base(1, A, 100), Base(2, A, 220), Base(3, A, 240)]).ShouldBe(new StreamPosition(A, 100));

    [Fact]
    public void A_stream_that_reaches_the_new_base_is_gone_on_with_behind_it() =>
        TailStart.Decide(Inventory([(A, 100, 300)]), [Base(1, A, 100), Base(2, A, 220)]).ShouldBe(new StreamPosition(A, 300));

    [Fact]
    public void A_change_of_the_replication_id_is_followed() =>
        TailStart.Decide(Inventory([(A, 100, 200), (B, 200, 260)], new LineageSwitch(B, 200, A)), [Base(1, A, 100)]).ShouldBe(new StreamPosition(B, 260));

    [Fact]
    public void A_change_with_nothing_behind_it_yet_is_followed_too() =>
        TailStart.Decide(Inventory([(A, 100, 200)], new LineageSwitch(B, 200, A)), [Base(1, A, 100)]).ShouldBe(new StreamPosition(B, 200));

    [Fact]
    public void Histories_that_lead_in_a_circle_end() =>
        TailStart.Decide(Inventory([(A, 100, 200)], new LineageSwitch(B, 200, A), new LineageSwitch(A, 200, B)), [Base(1, A, 100)]).ShouldNotBeNull();

    [Fact]
    public void The_history_of_the_newest_base_counts() =>
        TailStart.Decide(Inventory([(A, 100, 900)]), [Base(1, A, 100), Base(2, B, 5)]).ShouldBe(new StreamPosition(B, 5));

    [Fact]
    public void A_snapshot_that_no_stream_continues_is_nothing_to_go_on_from() =>
        TailStart.Decide(Inventory([]), [Base(1, null, null)]).ShouldBeNull();

    private static LogInventory Inventory((string Lineage, ulong Start, ulong End)[] pieces, params LineageSwitch[] switches) => new()
    {
        Pieces = [.. pieces.Select(p => new LogPiece(new ObjectKey($"x/{p.Lineage}-{p.Start}"), p.Lineage, new LogRange(p.Start, p.End), Codec.Zstd, 10, IsSegment: false))],
        Gaps = [],
        Files = switches.ToDictionary(s => s.FileName, _ => 10L),
        Confirmation = null,
    };

    private static RedisBase Base(int second, string? id, ulong? offset)
    {
        var backup = BackupId.At(new DateTimeOffset(2026, 1, 1, 0, 0, second, TimeSpan.Zero));
        var details = new BaseDetails
        {
            Method = "replication",
            ReplicationId = id,
            Offset = offset,
            At = backup.Began,
            RedisVersion = "7.0.15",
            RdbVersion = 10,
            StreamDatabase = null,
            Databases = null,
            Functions = 0,
            Checksummed = true,
        };
        return new RedisBase(new SealedBackup(backup, null!), details);
    }
}
