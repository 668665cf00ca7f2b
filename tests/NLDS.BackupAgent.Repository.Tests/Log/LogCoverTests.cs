using FsCheck;
using FsCheck.Fluent;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class LogCoverTests
{
    private static readonly Arbitrary<LogPiece[]> Pieces = (
        from start in Gen.Choose(0, 60)
        from length in Gen.Choose(1, 20)
        from segment in Gen.Choose(0, 3)
        select Piece((ulong)start, (ulong)(start + length), segment == 0)).ArrayOf().ToArbitrary();

    [Fact]
    public void It_reaches_exactly_as_far_as_every_byte_is_held() => Prop.ForAll(Pieces, pieces =>
    {
        var reach = 5ul;
        while (pieces.Any(p => p.Range.Contains(reach)))
        {
            reach++;
        }

        return LogCover.Find(pieces, "A", 5).End == reach;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Its_pieces_are_a_chain_without_a_hole_and_none_is_superfluous() => Prop.ForAll(Pieces, pieces =>
    {
        var position = 5ul;
        foreach (var piece in LogCover.Find(pieces, "A", 5).Pieces)
        {
            if (piece.Range.Start > position || piece.Range.End <= position)
            {
                return false;
            }

            position = piece.Range.End;
        }

        return position == LogCover.Find(pieces, "A", 5).End;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void No_cover_of_the_same_stretch_has_fewer_pieces() => Prop.ForAll(Pieces, pieces =>
    {
        var cover = LogCover.Find(pieces, "A", 5);
        var fewest = new Dictionary<ulong, int> { [5] = 0 };
        foreach (var piece in pieces.OrderBy(p => p.Range.End))
        {
            var before = fewest.Where(f => piece.Range.Start <= f.Key && f.Key < piece.Range.End).Select(f => (int?)f.Value).Min();
            if (before is { } count)
            {
                fewest[piece.Range.End] = Math.Min(fewest.GetValueOrDefault(piece.Range.End, int.MaxValue), count + 1);
            }
        }

        return cover.Pieces.Count == fewest[cover.End];
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_order_of_the_pieces_changes_nothing() => Prop.ForAll(Pieces, pieces =>
        LogCover.Find(pieces, "A", 5).End == LogCover.Find(pieces.Reverse(), "A", 5).End).QuickCheckThrowOnFailure();

    [Fact]
    public void Of_two_that_reach_equally_far_the_whole_segment_is_taken()
    {
        LogPiece[] pieces = [Piece(0, 10, isSegment: false), Piece(0, 10, isSegment: true), Piece(2, 10, isSegment: false)];

        LogCover.Find(pieces, "A", 3).Pieces.ShouldHaveSingleItem().IsSegment.ShouldBeTrue();
    }

    [Fact]
    public void Pieces_of_another_lineage_cover_nothing() => LogCover.Find([Piece(0, 10, isSegment: true)], "B", 0).End.ShouldBe(0ul);

    [Fact]
    public void It_goes_no_further_than_asked()
    {
        LogPiece[] pieces = [Piece(0, 10, isSegment: true), Piece(10, 20, isSegment: true)];

        LogCover.Find(pieces, "A", 0, 10).Pieces.Count.ShouldBe(1);
    }

    private static LogPiece Piece(ulong start, ulong end, bool isSegment) =>
        new(new ObjectKey($"log/{start}-{end}{(isSegment ? "s" : "")}"), "A", new LogRange(start, end), Codec.Zstd, 1, isSegment);
}
