using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>Where a restore stops, from one recorded archive, on real servers where it is replay that decides.</summary>
public sealed class TargetTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    private const string Later = "2099-01-01T00:00:00Z";

    [Fact]
    public async Task The_latest_is_every_row_that_was_acknowledged_and_the_copy_is_cut_off_from_the_originals_partners()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);
        var plan = await agent.RestoreAsync(directory["data"]);

        plan.BackupId.ShouldBe(archive.SecondBackup);
        plan.RecoversTo.ShouldNotBeNull().ShouldBeGreaterThan(archive.Idle);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        (await Ledger.LastAsync(copy)).ShouldBe(RecordedArchive.Last);
        (await copy.ScalarAsync<long>("SELECT count(*) FROM ballast")).ShouldBe(40_000);
        foreach (var (setting, value) in new Dictionary<string, string>
        {
            ["archive_mode"] = "off",
            ["archive_command"] = "(disabled)",
            ["synchronous_standby_names"] = "",
            ["primary_conninfo"] = "",
        })
        {
            (await copy.ScalarAsync<string>($"SELECT current_setting('{setting}')")).ShouldBe(value, setting);
        }

        // A commit returns: nobody waits for a standby that only the original had.
        await Ledger.AppendAsync(copy, RecordedArchive.Last + 1);
        (await copy.ScalarAsync<int>("SELECT timeline_id FROM pg_control_checkpoint()")).ShouldBe(2);
    }

    [Fact]
    public async Task A_time_between_two_commits_is_between_them() =>
        (await LastRowAsync(Between(archive.Rows[5].Time, archive.Rows[6].Time))).Row.ShouldBe(5);

    [Fact]
    public async Task A_commits_own_time_includes_it() => (await LastRowAsync(archive.Rows[6].Time)).ShouldBe((6, archive.SecondBackup));

    [Fact]
    public async Task A_microsecond_before_a_commit_excludes_it() =>
        (await LastRowAsync(archive.Rows[5].Time - TimeSpan.FromMicroseconds(1))).ShouldBe((4, archive.FirstBackup));

    [Fact]
    public async Task A_time_when_nothing_was_written_is_the_last_row_before() => (await LastRowAsync(archive.Idle)).ShouldBe((7, archive.SecondBackup));

    [Fact]
    public async Task A_position_behind_a_commit_includes_it() => (await LastRowAsync(archive.Rows[6].Lsn)).ShouldBe((6, archive.SecondBackup));

    [Fact]
    public async Task A_position_within_a_record_stops_before_that_record()
    {
        var within = (Lsn.Parse(archive.Rows[6].Lsn) - 1).ToString();

        (await LastRowAsync(within)).ShouldBe((5, archive.SecondBackup));
    }

    [Fact]
    public async Task A_position_before_the_newest_backup_takes_an_older_one() => (await LastRowAsync(archive.Rows[4].Lsn)).ShouldBe((4, archive.FirstBackup));

    [Fact]
    public async Task The_newest_of_two_restore_points_of_one_name_is_taken_and_the_other_is_named()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);

        (await LastRowAsync("name:mark")).ShouldBe((5, archive.FirstBackup));
        (await agent.PlanAsync(directory["data"], "name:mark")).Warnings.ShouldHaveSingleItem().ShouldContain(archive.FirstMark);
        (await LastRowAsync(archive.FirstMark)).ShouldBe((4, archive.FirstBackup));
    }

    [Fact]
    public async Task The_newest_backups_own_end_can_be_restored_and_a_byte_before_it_needs_an_older_one()
    {
        await using var agent = Agent.For(null, archive.Store);
        var newest = (await agent.Catalog.ListBackupsAsync(TestContext.Current.CancellationToken))[^1];

        (await LastRowAsync(newest.End.ToString())).ShouldBe((5, archive.SecondBackup));
        using var directory = new TemporaryDirectory();
        (await agent.PlanAsync(directory["data"], (newest.End - 1).ToString())).BackupId.ShouldBe(archive.FirstBackup);
    }

    [Fact]
    public async Task A_backup_that_is_named_is_taken()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);
        await agent.RestoreAsync(directory["data"], backup: archive.FirstBackup);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);

        (await Ledger.LastAsync(copy)).ShouldBe(RecordedArchive.Last);
    }

    [Fact]
    public async Task A_time_before_the_first_backup_is_refused_with_the_first_moment()
    {
        await using var agent = Agent.For(null, archive.Store);
        var first = (await agent.Catalog.ListBackupsAsync(TestContext.Current.CancellationToken))[0];

        // Nothing but row 1 is old enough to be there, and the backup holds three.
        foreach (var time in (DateTimeOffset[])[archive.BeforeAll, archive.Rows[1].Time, archive.Rows[2].Time])
        {
            (await RefusedAsync(Utc(time))).ShouldContain($"{first.Sealed.Id} is consistent from {first.End}");
        }

        (await RefusedAsync((first.End - 1).ToString())).ShouldContain("before the first moment");
    }

    [Fact]
    public async Task A_time_before_a_backup_at_which_nobody_wrote_does_not_take_that_backup()
    {
        // Between the rows before the newest backup nothing of the log that this backup needs tells of them.
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);
        var plan = await agent.PlanAsync(directory["data"], Utc(archive.Rows[4].Time));

        plan.BackupId.ShouldBe(archive.FirstBackup);
    }

    [Fact]
    public async Task What_lies_behind_the_archive_is_refused_with_what_can_be_had()
    {
        (await RefusedAsync(Later)).ShouldContain("--to latest");
        (await RefusedAsync("FF/0")).ShouldContain($"behind the end of the log at {archive.End}");
        (await RefusedAsync("name:nobody")).ShouldContain("no restore point 'nobody'");
        (await RefusedAsync(null, "20000101_000000")).ShouldContain(archive.FirstBackup);
        (await RefusedAsync(archive.Rows[4].Lsn, archive.SecondBackup)).ShouldContain("older one");
    }

    [Fact]
    public async Task Now_is_the_latest_with_a_warning_as_long_as_the_archive_is_fresh()
    {
        using var directory = new TemporaryDirectory();
        var clock = new ManualClock(archive.Idle + TimeSpan.FromSeconds(30));
        await using var agent = Agent.For(null, archive.Store, clock: clock);

        var plan = await agent.PlanAsync(directory["data"], Utc(clock.GetUtcNow()));

        plan.Warnings.ShouldHaveSingleItem().ShouldContain("proves nothing later");
        Directory.Exists(directory["data"]).ShouldBeFalse();
        await Should.ThrowAsync<NotRestorableException>(() => agent.PlanAsync(directory["data"], Utc(clock.GetUtcNow() + TimeSpan.FromSeconds(61))));
    }

    private static string Utc(DateTimeOffset time) => time.UtcDateTime.ToString("O");

    private static DateTimeOffset Between(DateTimeOffset one, DateTimeOffset other) => one + ((other - one) / 2);

    private Task<(int Row, string Backup)> LastRowAsync(DateTimeOffset time) => LastRowAsync(Utc(time));

    private async Task<(int Row, string Backup)> LastRowAsync(string to)
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);
        var plan = await agent.RestoreAsync(directory["data"], to);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        return (await Ledger.LastAsync(copy), plan.BackupId);
    }

    private async Task<string> RefusedAsync(string? to, string? backup = null)
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store);
        var refusal = await Should.ThrowAsync<NotRestorableException>(() => agent.PlanAsync(directory["data"], to, backup));
        Directory.Exists(directory["data"]).ShouldBeFalse();
        return refusal.Message;
    }
}
