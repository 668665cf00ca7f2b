using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class TailStartTests
{
    private const ulong Mega = 1 << 20;
    private static readonly WalSegmentSize Size = new((int)Mega);
    private static readonly TimelineHistory First = TimelineHistory.WithoutAncestors(1);

    [Fact]
    public void An_empty_archive_begins_where_the_slot_holds()
    {
        var start = Decide(Archive(), First, server: 9 * Mega, slot: new SlotPositionOrNone(new Lsn((5 * Mega) + 77), 1));

        start.ShouldBe(new TailStart(1, new Lsn(5 * Mega), new Lsn(5 * Mega), IsFirst: true));
    }

    [Fact]
    public void An_empty_archive_without_a_slot_position_begins_where_the_server_is() =>
        Decide(Archive(), First, server: (9 * Mega) + 5).Start.ShouldBe(new Lsn(9 * Mega));

    [Fact]
    public void An_empty_archive_begins_on_the_ancestor_that_the_slot_holds()
    {
        var history = TimelineHistory.Parse(2, "1\t0/700000\tpromoted");

        Decide(Archive(), history, server: 9 * Mega, slot: new SlotPositionOrNone(new Lsn(6 * Mega), 1)).Timeline.ShouldBe(1u);
        Decide(Archive(), history, server: 9 * Mega, slot: new SlotPositionOrNone(new Lsn(6 * Mega), null)).Timeline.ShouldBe(1u);
        Decide(Archive(), history, server: 9 * Mega, slot: new SlotPositionOrNone(new Lsn(8 * Mega), null)).Timeline.ShouldBe(2u);
    }

    [Fact]
    public void A_frontier_within_a_segment_begins_with_the_segment()
    {
        var start = Decide(Archive(Segment(4), Chunk(1, 5 * Mega, (5 * Mega) + 100)), First, server: 6 * Mega);

        start.ShouldBe(new TailStart(1, new Lsn(5 * Mega), new Lsn((5 * Mega) + 100), IsFirst: false));
    }

    [Fact]
    public void A_frontier_at_a_boundary_begins_one_segment_earlier_and_can_do_without()
    {
        var start = Decide(Archive(Segment(3), Segment(4)), First, server: 6 * Mega);

        start.Frontier.ShouldBe(new Lsn(5 * Mega));
        start.Start.ShouldBe(new Lsn(4 * Mega));
        start.WithoutOverlap(Size).Start.ShouldBe(new Lsn(5 * Mega));
    }

    [Fact]
    public void A_hole_that_retention_made_is_stepped_over()
    {
        // Older backups keep islands of segments; the log lives on behind them.
        var pruned = new PrunedLog(null, [new LogSection("00000001", 0, 3 * Mega), new LogSection("00000001", 4 * Mega, 6 * Mega)]);
        var islands = Archive(Segment(3), Segment(6), Segment(7)) with { Pruned = pruned };

        Decide(islands, First, server: 9 * Mega).Frontier.ShouldBe(new Lsn(8 * Mega));

        // A gap older than all that is left leads into what was removed.
        var gap = new LogGap("00000001", Mega, 2 * Mega, "once", DateTimeOffset.UnixEpoch);
        Decide(islands with { Gaps = [gap] }, First, server: 9 * Mega).Frontier.ShouldBe(new Lsn(8 * Mega));
    }

    [Fact]
    public void An_unrecorded_hole_is_asked_for_again_and_a_recorded_one_is_stepped_over()
    {
        var holed = Archive(Segment(3), Segment(6));
        Decide(holed, First, server: 9 * Mega).Frontier.ShouldBe(new Lsn(4 * Mega));

        var recorded = holed with { Gaps = [Gap(1, 4 * Mega, 6 * Mega)] };
        Decide(recorded, First, server: 9 * Mega).Frontier.ShouldBe(new Lsn(7 * Mega));
    }

    [Fact]
    public void An_ended_timeline_is_finished_first()
    {
        var history = TimelineHistory.Parse(2, "1\t0/700050\tpromoted");

        Decide(Archive(Segment(3)), history, server: 9 * Mega).Timeline.ShouldBe(1u);
    }

    [Fact]
    public void After_an_ended_timeline_the_child_begins_with_the_segment_of_the_switch_and_takes_no_acknowledgement_back()
    {
        var history = TimelineHistory.Parse(2, "1\t0/700050\tpromoted");

        var start = Decide(Archive(Segment(6), Chunk(1, 7 * Mega, (7 * Mega) + 0x50)), history, server: 9 * Mega);

        (start.Timeline, start.Start).ShouldBe((2u, new Lsn(7 * Mega)));
        start.Acknowledged.ShouldBe(new Lsn((7 * Mega) + 0x50));
    }

    [Fact]
    public void A_switch_point_within_a_lost_stretch_leads_to_the_child()
    {
        var history = TimelineHistory.Parse(2, "1\t0/700050\tpromoted");
        var archive = Archive(Segment(3)) with { Gaps = [Gap(1, 4 * Mega, (7 * Mega) + 0x50)] };

        Decide(archive, history, server: 12 * Mega).Timeline.ShouldBe(2u);
    }

    [Fact]
    public void A_gap_at_the_beginning_of_a_timeline_is_stepped_over_too()
    {
        var history = TimelineHistory.Parse(2, "1\t0/700050\tpromoted");
        var archive = Archive(Segment(3)) with { Gaps = [Gap(1, 4 * Mega, (7 * Mega) + 0x50), Gap(2, 7 * Mega, 11 * Mega)] };

        var start = Decide(archive, history, server: 12 * Mega);

        (start.Timeline, start.Start, start.Frontier).ShouldBe((2u, new Lsn(11 * Mega), new Lsn(11 * Mega)));
    }

    /// <summary>Segments are put beside one another: an agent that was killed may have put the second and not the first.</summary>
    [Fact]
    public void A_timeline_whose_first_segment_is_missing_begins_with_it_again()
    {
        var history = TimelineHistory.Parse(2, "1\t0/700050\tpromoted");
        var archive = Archive(Segment(6), Chunk(1, 7 * Mega, (7 * Mega) + 0x50), Segment(8, timeline: 2));

        var start = Decide(archive, history, server: 12 * Mega);

        (start.Timeline, start.Start, start.Frontier).ShouldBe((2u, new Lsn(7 * Mega), new Lsn(7 * Mega)));
        start.Acknowledged.ShouldBe(new Lsn((7 * Mega) + 0x50));
    }

    [Fact]
    public void An_archive_whose_first_segments_are_missing_begins_again_where_the_slot_holds()
    {
        Decide(Archive(Segment(7)), First, server: 9 * Mega, slot: new SlotPositionOrNone(new Lsn((5 * Mega) + 77), 1)).Frontier.ShouldBe(new Lsn(5 * Mega));

        // What retention has removed is not missing, however far behind the slot is.
        var pruned = Archive(Segment(7)) with { Pruned = new PrunedLog(null, [new LogSection("00000001", 0, 7 * Mega)]) };
        Decide(pruned, First, server: 9 * Mega, slot: new SlotPositionOrNone(new Lsn((5 * Mega) + 77), 1)).Frontier.ShouldBe(new Lsn(8 * Mega));
    }

    [Fact]
    public void A_server_on_an_older_timeline_is_refused() =>
        Should.Throw<SourceException>(() => Decide(Archive(Chunk(2, 5 * Mega, 6 * Mega)), First, server: 9 * Mega)).IsPermanent.ShouldBeTrue();

    [Fact]
    public void A_server_behind_the_archive_is_refused_and_a_standby_waited_for()
    {
        var archive = Archive(Segment(3), Segment(4));

        Should.Throw<SourceException>(() => Decide(archive, First, server: (5 * Mega) - 1)).IsPermanent.ShouldBeTrue();
        Should.Throw<SourceException>(() => Decide(archive, First, server: (5 * Mega) - 1, isStandby: true)).IsPermanent.ShouldBeFalse();
    }

    [Fact]
    public void The_end_of_the_log_tells_the_same_as_all_of_it()
    {
        // A chunk that somebody left behind and an old gap are in every listing.
        LogPiece[] left = [Chunk(1, 4 * Mega, (4 * Mega) + 100)];
        LogPiece[] early = [Segment(3), Segment(4), Segment(7), Segment(8)];
        LogPiece[] late = [Segment(9), Segment(10), Chunk(1, 11 * Mega, (11 * Mega) + 7)];
        var whole = Archive([.. left, .. early, .. late]) with { Gaps = [Gap(1, 5 * Mega, 7 * Mega)] };
        var end = Archive([.. left, .. late]) with { Gaps = whole.Gaps, From = new LogStart(WalNaming.Lineage(1), 9 * Mega) };

        Decide(end, First, server: 12 * Mega).ShouldBe(Decide(whole, First, server: 12 * Mega));
        TailStart.IsToldBy(end, First).ShouldBeTrue();

        var promoted = TimelineHistory.Parse(2, "1\t0/B00007\tpromoted");
        Decide(end, promoted, server: 12 * Mega).ShouldBe(Decide(whole, promoted, server: 12 * Mega));
        TailStart.IsToldBy(end, TimelineHistory.WithoutAncestors(3)).ShouldBeFalse();
    }

    [Fact]
    public void The_end_of_a_log_whose_timeline_has_just_begun_begins_with_it()
    {
        var history = TimelineHistory.Parse(2, "1\t0/700050\tpromoted");
        var end = Archive(Segment(7, timeline: 2), Chunk(2, 8 * Mega, (8 * Mega) + 9)) with { From = new LogStart(WalNaming.Lineage(2), 6 * Mega) };

        Decide(end, history, server: 12 * Mega).Frontier.ShouldBe(new Lsn((8 * Mega) + 9));
    }

    private static TailStart Decide(
        LogInventory inventory, TimelineHistory history, ulong server, SlotPositionOrNone slot = default, bool isStandby = false) =>
        TailStart.Decide(inventory, history, new Lsn(server), slot, Size, isStandby);

    private static LogInventory Archive(params LogPiece[] pieces) =>
        new() { Pieces = pieces, Gaps = [], Files = new Dictionary<string, long>(), Confirmation = null };

    private static LogPiece Segment(ulong number, uint timeline = 1) => Piece(timeline, number * Mega, (number + 1) * Mega, isSegment: true);

    private static LogPiece Chunk(uint timeline, ulong start, ulong end) => Piece(timeline, start, end, isSegment: false);

    private static LogPiece Piece(uint timeline, ulong start, ulong end, bool isSegment) => new(
        new ObjectKey($"{timeline}-{start}-{end}"), WalNaming.Lineage(timeline), new LogRange(start, end), Codec.None, 1, isSegment);

    private static LogGap Gap(uint timeline, ulong start, ulong end) => new(WalNaming.Lineage(timeline), start, end, "removed", default);
}
