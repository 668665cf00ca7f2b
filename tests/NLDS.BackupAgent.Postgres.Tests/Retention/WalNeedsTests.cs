using System.Globalization;
using System.Text.Json;
using NLDS.BackupAgent.Postgres.Retention;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Retention;

public sealed class WalNeedsTests
{
    private const ulong Mega = 1 << 20;
    private static readonly WalSegmentSize Size = new((int)Mega);
    private static readonly DateTimeOffset Day = new(2026, 11, 1, 2, 0, 0, TimeSpan.Zero);
    private static readonly LogArchive Archive =
        new BackupRepository(new MemoryObjectStore(), new RepositoryOptions(), TimeProvider.System).OpenLog("postgres/wal", new WalNaming(Size));

    [Fact]
    public void The_log_is_whole_from_the_backup_on_that_was_complete_when_the_window_begins_and_older_ones_have_islands()
    {
        var needs = Find("1", [Backup(0, 3.5, 4.2), Backup(2, 10.1, 10.9), Backup(4, 20.5, 22.5), Backup(6, 30.5, 30.6)], since: 5);

        needs.WholeFrom.ShouldBe(new Dictionary<string, ulong> { ["00000001"] = 20 * Mega });
        Superfluous(needs).ShouldBe(["1:0-3", "1:5-10", "1:11-20"]);
        needs.RestorableFrom.ShouldBe(Day.AddDays(4).AddHours(1));
    }

    [Fact]
    public void A_backup_that_ends_with_a_segment_needs_none_behind_it() =>
        Superfluous(Find("1", [Backup(0, 3, 4), Backup(2, 10, 11)], since: 3)).ShouldBe(["1:0-3", "1:4-10"]);

    [Fact]
    public void While_no_backup_is_old_enough_all_of_it_stays()
    {
        var needs = Find("1", [Backup(2, 10, 11)], since: 1);

        Superfluous(needs).ShouldBeEmpty();
        needs.Remarks.ShouldBeEmpty();
        needs.RestorableFrom.ShouldBe(Day.AddDays(2).AddHours(1));
    }

    [Fact]
    public void Over_a_switch_both_timelines_keep_what_a_backup_before_it_needs()
    {
        // Timeline 2 began at 4.5; recovery reads the segment 4 of timeline 2, whose beginning is a copy.
        var needs = Find("1\t0/480000\tpromoted", [Backup(0, 3.5, 4.2), Backup(4, 20, 21, timeline: 2)], since: 5, newest: 2);

        Superfluous(needs).ShouldBe(["1:0-3", "1:5-20", "2:0-3", "2:5-20"]);
    }

    [Fact]
    public void A_backup_during_which_a_standby_was_promoted_keeps_both_sides()
    {
        var needs = Find("1\t0/480000\tpromoted", [Backup(0, 3.5, 6.2, timeline: 2, startTimeline: 1), Backup(4, 20, 21, timeline: 2)], since: 5, newest: 2);

        Superfluous(needs).ShouldBe(["1:0-3", "1:7-20", "2:0-3", "2:7-20"]);
    }

    [Fact]
    public void A_timeline_that_is_not_on_the_history_stays_and_is_named()
    {
        var needs = Find("1\t0/480000\tpromoted", [Backup(0, 3.5, 4.2), Backup(4, 20, 21, timeline: 3)], since: 5, newest: 3, pieces: ["00000002", "00000003"]);

        needs.WholeFrom.Keys.Order().ShouldBe(["00000001", "00000003"]);
        needs.Remarks.ShouldHaveSingleItem().ShouldContain("WAL of timeline 00000002 is kept");
    }

    [Fact]
    public void Without_a_backup_on_the_history_nothing_is_judged()
    {
        // The switch lies before the end of the only backup, so nobody can come from it to timeline 2.
        var needs = Find("1\t0/480000\tpromoted", [Backup(0, 9, 10)], since: 5, newest: 2);

        Superfluous(needs).ShouldBeEmpty();
        needs.Remarks.ShouldHaveSingleItem().ShouldContain("no base backup lies on the history of timeline 2");
    }

    [Fact]
    public void A_joint_is_explained_only_when_both_sides_were_removed()
    {
        var both = new PrunedLog(null, [new LogSection("1", 2, 10), new LogSection("2", 5, 12)]);

        PrunedWal.ExplainsJoint(both, "1", "2", childSegment: 6, parentEnd: 3, childStart: 11).ShouldBeTrue();
        PrunedWal.ExplainsJoint(both, "1", "2", childSegment: 6, parentEnd: 1, childStart: 11).ShouldBeFalse();
        PrunedWal.ExplainsJoint(both, "1", "2", childSegment: 6, parentEnd: 3, childStart: 13).ShouldBeFalse();
        PrunedWal.ExplainsJoint(PrunedLog.Nothing, "1", "2", childSegment: 6, parentEnd: 6, childStart: 6).ShouldBeTrue();
    }

    private static LogNeeds Find(string history, BaseBackup[] backups, double since, uint newest = 1, params string[] pieces) => WalNeeds.Find(
        Archive,
        new LogInventory
        {
            Pieces = [.. pieces.Select(p => new LogPiece(new ObjectKey("k"), p, new LogRange(0, Mega), Codec.Zstd, 1, IsSegment: true))],
            Gaps = [],
            Files = new Dictionary<string, long>(),
            Confirmation = null,
        },
        newest == 1 ? TimelineHistory.WithoutAncestors(1) : TimelineHistory.Parse(newest, history),
        backups,
        Day.AddDays(since),
        Size);

    /// <summary>In segments: <c>timeline:from-to</c>.</summary>
    private static List<string> Superfluous(LogNeeds needs) =>
        [.. needs.Superfluous().Select(s => string.Create(CultureInfo.InvariantCulture, $"{WalNaming.Timeline(s.Lineage)}:{s.Start / Mega}-{s.End / Mega}"))];

    private static BaseBackup Backup(double day, double start, double end, uint timeline = 1, uint? startTimeline = null) => new(
        new SealedBackup(BackupId.At(Day.AddDays(day)), new BackupManifest
        {
            Format = 1, Source = "postgres", Id = "", Began = Day.AddDays(day), Ended = Day.AddDays(day).AddHours(1), Agent = "test", Objects = [],
            Details = JsonDocument.Parse("{}").RootElement,
        }),
        new BaseBackupDetails
        {
            SystemIdentifier = "7", ServerVersion = "15.1", WalSegmentBytes = (int)Mega,
            StartLsn = new Lsn((ulong)(start * Mega)).ToString(), StartTimeline = startTimeline ?? timeline,
            EndLsn = new Lsn((ulong)(end * Mega)).ToString(), EndTimeline = timeline,
            Files = 1, Tablespaces = [], Settings = new Dictionary<string, string>(),
        });
}
