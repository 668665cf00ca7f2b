using NLDS.BackupAgent.Torture.Stores;

namespace NLDS.BackupAgent.Torture.Tests.Stores;

public sealed class StoreContentTests
{
    [Fact]
    public void The_pieces_of_open_segments_are_counted_and_the_confirmation_beside_them_is_none()
    {
        string[] keys =
        [
            "repository.json",
            "postgres/wal/000000010000000000000027.zst",
            "postgres/wal/tail/00000001-0000000002800000-00000000028d77d0.zst",
            "postgres/wal/tail/confirmed.json",
            "redis/stream/tail/0123456789abcdef-0000000000000000-0000000000000010.zst",
        ];

        StoreContent.Of(keys, unfinished: 3).ShouldBe(new StoreContent(Objects: 5, Chunks: 2, Unfinished: 3));
    }

    [Fact]
    public void The_report_has_what_there_was_and_what_there_is()
    {
        var report = new TortureReport("nothing", 1);

        new StoreContent(30, 4, 1).Report(report, begin: new StoreContent(20, 2, 0));

        report.ToString().ShouldContain("20  objects in the store, at the end 30\n");
        report.ToString().ShouldContain("2  chunks in the store, at the end 4\n");
        report.ToString().ShouldContain("0  unfinished uploads in the store, at the end 1\n");
    }
}
