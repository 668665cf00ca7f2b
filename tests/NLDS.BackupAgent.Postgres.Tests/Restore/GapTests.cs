using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>A log with a gap: a moment is listed as restorable where a restore to it can be planned, and nowhere else.</summary>
public sealed class GapTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Between the backups, and behind both.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_moments_that_are_listed_are_those_that_can_be_restored(bool isBehindBoth)
    {
        var (store, listing) = await WithGapAsync(isBehindBoth, removed: null);

        listing.Spans.Count.ShouldBe(isBehindBoth ? 1 : 2);
        (listing.RestorableFrom, listing.RestorableTo).ShouldBe((listing.Spans[0].From, listing.Spans[^1].To));
        await ProveAsync(store, listing);
    }

    /// <summary>The log behind the gap is there; it begins at no backup any more.</summary>
    [Fact]
    public async Task Behind_a_gap_whose_backup_is_gone_nothing_is_listed()
    {
        var (store, listing) = await WithGapAsync(isBehindBoth: false, removed: archive.SecondBackup);

        listing.Spans.Count.ShouldBe(1);
        await ProveAsync(store, listing);
    }

    private async Task ProveAsync(IObjectStore store, LogListing listing)
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, store);
        foreach (var time in archive.Rows.Values.Select(row => row.Time)
            .Concat(listing.Spans.SelectMany(span => (DateTimeOffset[])[span.From, span.To - TimeSpan.FromMicroseconds(1), span.To + TimeSpan.FromMicroseconds(1)]))
            .Where(time => time > archive.Rows[3].Time && time <= archive.Idle))
        {
            var isListed = listing.Spans.Any(span => span.From <= time && time < span.To);
            (await CanAsync(agent, directory["data"], time)).ShouldBe(isListed, $"{time:O} of {string.Join(", ", listing.Spans)}");
        }
    }

    private static async Task<bool> CanAsync(Agent agent, string directory, DateTimeOffset time)
    {
        try
        {
            await agent.PlanAsync(directory, time.UtcDateTime.ToString("O", System.Globalization.CultureInfo.InvariantCulture));
            return true;
        }
        catch (NotRestorableException)
        {
            return false;
        }
    }

    /// <summary>The segment before the second backup, or the one behind the first row after it, is lost and recorded as a gap.</summary>
    private async Task<(IObjectStore Store, LogListing Listing)> WithGapAsync(bool isBehindBoth, string? removed)
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var backups = await agent.Catalog.ListBackupsAsync(Cancelled);
        var size = backups[0].SegmentSize;
        var lost = isBehindBoth
            ? WalSegment.Holding(Lsn.Parse(archive.Rows[6].Lsn), 1, size).Next
            : WalSegment.Holding(size.RoundDown(backups[1].Start) - 1, 1, size);
        foreach (var piece in (await agent.InventoryAsync()).Pieces.Where(p => p.Range.Start < lost.End.Value && p.Range.End > lost.Start.Value))
        {
            await store.RemoveAsync(piece.Key);
        }

        await (await agent.LogAsync()).RecordGapAsync(new LogGap("00000001", lost.Start.Value, lost.End.Value, "the slot was lost", TimeProvider.System.GetUtcNow()), Cancelled);
        if (removed is not null)
        {
            await store.RemoveAsync(new ObjectKey($"postgres/full/{removed}/manifest.json"));
        }

        return (store, (await agent.Source.ListAsync(Cancelled)).Log!);
    }
}
