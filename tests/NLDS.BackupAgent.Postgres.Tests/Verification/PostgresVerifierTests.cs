using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Verification;

public sealed class PostgresVerifierTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    [Fact]
    public async Task A_sound_repository_is_clean_in_every_scope()
    {
        await using var agent = Agent.For(null, await archive.CopyAsync());
        foreach (var scope in (VerifyScope[])[VerifyScope.All, VerifyScope.Latest, new VerifyScope(archive.FirstBackup)])
        {
            var report = await agent.VerifyAsync(scope);
            report.Damage.ShouldBeEmpty(scope.ToString());
            report.ObjectsRead.ShouldBeGreaterThan(4);
        }

        (await Should.ThrowAsync<UsageException>(() => agent.VerifyAsync(new VerifyScope("20000101_000000")))).Message.ShouldContain(archive.FirstBackup);
    }

    [Fact]
    public async Task What_was_read_back_is_believed_until_its_proof_is_too_old()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow().AddHours(1));
        await using var agent = Agent.For(null, await archive.CopyAsync(), clock: clock);
        var all = await agent.VerifyAsync();

        var again = await agent.VerifyAsync(VerifyScope.New);
        again.Damage.ShouldBeEmpty();
        again.ContentBytes.ShouldBeLessThan(all.ContentBytes / 10, "only the open tail, and the segment before it for the joint");
        again.ObjectsBelieved.ShouldBeGreaterThan(4);

        // Both backups fall due on the last two days of the month, one each day, and a part of the log every day.
        for (var day = 1; day <= 30; day++)
        {
            clock.Advance(TimeSpan.FromDays(1));
            var daily = await agent.VerifyAsync(VerifyScope.Daily(TimeSpan.FromDays(30)));
            daily.Damage.ShouldBeEmpty();
            daily.ContentBytes.ShouldBeLessThan(all.ContentBytes * 2 / 3, $"day {day}");
        }

        var listing = await agent.Source.ListAsync(CancellationToken.None);
        listing.Backups.ShouldAllBe(b => clock.GetUtcNow() - b.VerifiedAt < TimeSpan.FromDays(30));
        (await agent.VerifyAsync()).ContentBytes.ShouldBe(all.ContentBytes, "by hand everything is read");
    }

    [Fact]
    public async Task Only_what_is_new_is_read_when_the_log_has_grown()
    {
        var store = await archive.CopyAsync();
        var newest = (await store.ListAsync("postgres/wal/0")).Last(o => o.Key.Value.EndsWith(".zst", StringComparison.Ordinal)).Key;
        var content = await store.ReadAsync(newest);
        await store.RemoveAsync(newest);
        foreach (var later in await store.ListAsync("postgres/wal/tail/"))
        {
            await store.RemoveAsync(later.Key);
        }

        await using var agent = Agent.For(null, store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        await store.ReplaceAsync(newest, content, CancellationToken.None);

        var report = await agent.VerifyAsync(VerifyScope.New);

        report.Damage.ShouldBeEmpty();
        report.ContentBytes.ShouldBe(2 << 20, "the new segment, and the one before it for the record across the joint");
    }

    [Fact]
    public async Task What_is_damaged_gets_no_proof_and_is_named_by_every_run()
    {
        var store = await archive.CopyAsync();
        var segment = (await store.ListAsync("postgres/wal/0")).First(o => o.Key.Value.EndsWith(".zst", StringComparison.Ordinal)).Key;
        var archived = new ObjectKey($"postgres/full/{archive.SecondBackup}/base.tar.zst");
        await using var agent = Agent.For(null, store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        await store.FlipAsync(segment);
        await store.FlipAsync(archived);
        foreach (var scope in (VerifyScope[])[VerifyScope.All, VerifyScope.New, VerifyScope.Daily(TimeSpan.FromDays(30)), VerifyScope.New])
        {
            (await agent.VerifyAsync(scope)).Damage.Select(d => d.Subject).ShouldBe([archived.Value, segment.Value], scope.ToString());
        }

        var listing = await agent.Source.ListAsync(CancellationToken.None);
        listing.Backups.Single(b => b.Id.ToString() == archive.SecondBackup).VerifiedAt.ShouldBeNull();
        listing.Backups.Single(b => b.Id.ToString() == archive.FirstBackup).VerifiedAt.ShouldNotBeNull();
    }

    [Fact]
    public async Task What_was_proven_and_has_vanished_since_is_named_without_being_read()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        await agent.VerifyAsync();
        var segments = (await store.ListAsync("postgres/wal/0")).Where(o => o.Key.Value.EndsWith(".zst", StringComparison.Ordinal)).ToList();
        var archived = new ObjectKey($"postgres/full/{archive.FirstBackup}/base.tar.zst");
        await store.RemoveAsync(segments[segments.Count / 2].Key);
        await store.TruncateAsync(archived);

        var damage = (await agent.VerifyAsync(VerifyScope.New)).Damage;

        damage.Count.ShouldBe(2);
        damage.ShouldContain(d => d.Subject == archived.Value);
        damage.ShouldContain(d => d.Subject.StartsWith("WAL from ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_proof_of_another_manifest_is_none()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        await agent.VerifyAsync();
        var (first, second) = (new ObjectKey($"postgres/full/{archive.FirstBackup}/verified.json"), new ObjectKey($"postgres/full/{archive.SecondBackup}/verified.json"));
        await store.ReplaceAsync(second, await store.ReadAsync(first), CancellationToken.None);

        (await agent.Source.ListAsync(CancellationToken.None)).Backups.Single(b => b.Id.ToString() == archive.SecondBackup).VerifiedAt.ShouldBeNull();
        (await agent.VerifyAsync(VerifyScope.New)).Damage.ShouldHaveSingleItem().Subject.ShouldBe(second.Value);
        (await agent.VerifyAsync(VerifyScope.New)).Damage.ShouldBeEmpty("it was read again and has a proof of its own");
    }

    [Fact]
    public async Task A_backup_that_is_removed_with_its_log_while_it_is_verified_is_no_damage()
    {
        var store = await archive.CopyAsync();
        await using var before = Agent.For(null, store);
        var backups = await before.Catalog.ListBackupsAsync(CancellationToken.None);
        var kept = WalSegment.Holding(backups[1].Start, 1, backups[1].SegmentSize).Name;
        var isPruned = false;
        await using var agent = Agent.For(null, new OverlaidStore(store, key =>
        {
            // As soon as the log is looked at retention has been here: the backup's manifest is gone, then its objects and its log.
            isPruned |= key.Value.StartsWith("postgres/wal/", StringComparison.Ordinal);
            return !isPruned || !(key.Value.Contains(archive.FirstBackup, StringComparison.Ordinal)
                || (key.Value.StartsWith("postgres/wal/0", StringComparison.Ordinal) && string.CompareOrdinal(key.Name, kept) < 0));
        }));

        var report = await agent.VerifyAsync();

        isPruned.ShouldBeTrue();
        report.Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_hole_costs_the_moments_up_to_the_next_backup()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var backups = await agent.Catalog.ListBackupsAsync(CancellationToken.None);
        var between = (await agent.InventoryAsync()).Pieces.Where(p => p.IsSegment && p.Range.Start >= backups[0].End.Value && p.Range.End <= backups[1].Start.Value).ToList();
        await store.RemoveAsync(new ObjectKey(between[0].Name));

        var hole = (await agent.VerifyAsync()).Damage.ShouldHaveSingleItem();

        hole.LostFrom!.Value.ShouldBeInRange(archive.BeforeAll, archive.Rows[6].Time);
        hole.LostTo.ShouldBe(backups[1].Sealed.Manifest.Ended);
        hole.Cost.ShouldStartWith("restore to a moment from ");
    }

    [Fact]
    public async Task A_damaged_backup_costs_nothing_but_time_when_an_older_one_reaches_as_far()
    {
        var store = await archive.CopyAsync();
        await store.FlipAsync(new ObjectKey($"postgres/full/{archive.SecondBackup}/base.tar.zst"));
        await using var agent = Agent.For(null, store);

        var damage = (await agent.VerifyAsync()).Damage.ShouldHaveSingleItem();
        damage.Cost.ShouldStartWith("none: an older base backup");
        damage.LostFrom.ShouldBeNull();

        // The first has none before it: what only it reaches is lost.
        await store.FlipAsync(new ObjectKey($"postgres/full/{archive.FirstBackup}/base.tar.zst"));
        (await agent.VerifyAsync()).Damage.ShouldAllBe(d => d.Cost.StartsWith("restore to a moment ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_restore_point_without_its_record_is_named_by_hand_and_put_back_by_the_agent()
    {
        var store = await archive.CopyAsync();
        var mark = (await store.ListAsync("postgres/wal/marks/"))[0].Key;
        var record = await store.ReadAsync(mark);
        await store.RemoveAsync(mark);
        await using var agent = Agent.For(null, store);

        var finding = (await agent.VerifyAsync()).Damage.ShouldHaveSingleItem();
        finding.Subject.ShouldBe(mark.Value);
        finding.Cost.ShouldContain("name:mark");

        var healed = await agent.VerifyAsync(VerifyScope.All with { Heals = true });
        healed.Damage.ShouldBeEmpty();
        healed.Notes.ShouldHaveSingleItem().ShouldContain(mark.Value);
        (await store.ReadAsync(mark)).ShouldBe(record);
    }

    [Fact]
    public async Task What_a_session_that_died_left_behind_is_no_damage_and_a_lost_manifest_is()
    {
        var store = await archive.CopyAsync();
        await store.ReplaceAsync(
            new ObjectKey("postgres/full/20200101_000000/begun.json"),
            ProvenJson.Prove("""{"source":"postgres","id":"20200101_000000","began":"2020-01-01T00:00:00+00:00","agent":"1","session":"6f9619ff-8b86-d011-b42d-00c04fc964ff"}"""),
            CancellationToken.None);
        await using var agent = Agent.For(null, store);
        (await agent.VerifyAsync(VerifyScope.New)).Damage.ShouldBeEmpty();

        var manifest = new ObjectKey($"postgres/full/{archive.FirstBackup}/manifest.json");
        await store.RemoveAsync(manifest);

        (await agent.VerifyAsync(VerifyScope.New)).Damage.ShouldHaveSingleItem().Subject.ShouldBe(manifest.Value);
    }

    [Fact]
    public async Task Whoever_may_only_read_can_verify_and_is_told_that_nothing_is_remembered()
    {
        var readOnly = new FaultyObjectStore(await archive.CopyAsync());
        readOnly.FailWhen((_, operation) => operation is "put" or "replace" ? Fault.Permanent : null);
        await using var agent = Agent.For(null, readOnly);

        var report = await agent.VerifyAsync();

        report.Damage.ShouldBeEmpty();
        report.Notes.ShouldContain(note => note.Contains("could not be remembered", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_store_that_fails_is_a_failure_and_no_damage()
    {
        var faulty = new FaultyObjectStore(await archive.CopyAsync());
        await using var agent = Agent.For(null, faulty);
        faulty.FailWhen((_, operation) => operation == "replace" ? Fault.Permanent : null);
        await agent.VerifyAsync();
        var calls = faulty.Calls;
        for (var call = 1; call <= calls; call += Math.Max(1, calls / 25))
        {
            var number = call;
            faulty.FailWhen((at, operation) => at == number && operation != "replace" ? Fault.Transient : null);
            try
            {
                (await agent.VerifyAsync()).Damage.ShouldBeEmpty($"call {call} of {calls}");
            }
            catch (ObjectStoreException)
            {
                // It could not find out.
            }
        }
    }

    [Fact]
    public async Task A_timeline_that_does_not_begin_where_its_parent_ends_is_found()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var log = await agent.LogAsync();
        await log.PutFileAsync("00000002.history", "1\t0/FF00000\tno recovery target specified\n"u8.ToArray(), CancellationToken.None);
        await store.ReplaceAsync(
            new ObjectKey("postgres/wal/0000000200000000000000FF.zst"),
            await store.ReadAsync((await store.ListAsync("postgres/wal/0")).First(o => o.Key.Value.EndsWith(".zst", StringComparison.Ordinal)).Key),
            CancellationToken.None);

        (await agent.VerifyAsync()).Damage.ShouldContain(d => d.What.Contains("timeline 2 follows 1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_damaged_history_is_named()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        await (await agent.LogAsync()).PutFileAsync("00000002.history", "nonsense\n"u8.ToArray(), CancellationToken.None);

        (await agent.VerifyAsync()).Damage.ShouldHaveSingleItem().Subject.ShouldBe("postgres/wal/00000002.history");
    }
}
