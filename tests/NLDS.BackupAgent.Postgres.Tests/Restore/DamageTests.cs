using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>What is missing or damaged is named; nothing is written when the plan can know it, and nothing starts when only reading can.</summary>
public sealed class DamageTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_missing_or_truncated_object_of_the_backup_is_named_before_a_byte_is_written()
    {
        foreach (var name in (string[])["base.tar.zst", "backup_manifest"])
        {
            var key = new ObjectKey($"postgres/full/{archive.SecondBackup}/{name}");
            (await RefusedAsync(store => store.RemoveAsync(key))).ShouldContain(key.Value);
            (await RefusedAsync(store => store.TruncateAsync(key))).ShouldContain(key.Value);
        }
    }

    [Fact]
    public async Task A_damaged_manifest_is_passed_over_with_a_warning_and_hides_no_other_backup()
    {
        using var directory = new TemporaryDirectory();
        var store = await archive.CopyAsync();
        await store.TruncateAsync(new ObjectKey($"postgres/full/{archive.SecondBackup}/manifest.json"));
        await using var agent = Agent.For(null, store);

        var plan = await agent.PlanAsync(directory["data"]);

        plan.BackupId.ShouldNotBe(archive.SecondBackup.ToString());
        plan.Warnings.ShouldContain(warning => warning.Contains($"{archive.SecondBackup}/manifest.json", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Each_missing_or_truncated_piece_of_the_log_is_named_before_a_byte_is_written()
    {
        using var directory = new TemporaryDirectory();
        await using var sound = Agent.For(null, archive.Store);
        var plan = await sound.PlanAsync(directory["data"]);
        plan.WalFiles.Count.ShouldBeGreaterThan(4);
        foreach (var file in plan.WalFiles)
        {
            foreach (var piece in file.Pieces)
            {
                (await RefusedAsync(store => store.RemoveAsync(piece.Key))).ShouldContain(file.Segment.Name);
                (await RefusedAsync(store => store.TruncateAsync(piece.Key))).ShouldContain(piece.Key.Value);
            }
        }
    }

    [Fact]
    public async Task A_log_that_was_longer_once_is_refused()
    {
        var refusal = await RefusedAsync(store => store.ReplaceAsync(
            new ObjectKey("postgres/wal/tail/confirmed.json"),
            ProvenJson.Prove("""{"lineage":"00000001","position":1099511627776,"asOf":"2026-11-23T12:00:00+00:00"}"""),
            Cancelled));

        refusal.ShouldContain("100/0");
        refusal.ShouldContain("--to ");
    }

    [Fact]
    public async Task A_timeline_without_its_history_is_refused() => (await RefusedAsync(async store =>
    {
        var first = (await store.ListAsync("postgres/wal/0")).First(o => o.Key.Value.EndsWith(".zst", StringComparison.Ordinal));
        await store.ReplaceAsync(new ObjectKey(first.Key.Value.Replace("wal/00000001", "wal/00000002", StringComparison.Ordinal)), await store.ReadAsync(first.Key), Cancelled);
    })).ShouldContain("00000002.history");

    [Fact]
    public async Task A_recorded_gap_is_refused_with_its_reason()
    {
        using var directory = new TemporaryDirectory();
        await using var sound = Agent.For(null, archive.Store);
        var plan = await sound.PlanAsync(directory["data"]);
        var middle = plan.WalFiles[2];
        var refusal = await RefusedAsync(async store =>
        {
            await store.RemoveAsync(middle.Pieces[0].Key);
            await store.ReplaceAsync(
                new ObjectKey($"postgres/wal/gaps/00000001-{middle.Segment.Start.Value:x16}-{middle.Segment.End.Value:x16}.json"),
                ProvenJson.Prove(
                    $$"""{"lineage":"00000001","start":{{middle.Segment.Start.Value}},"end":{{middle.Segment.End.Value}},"reason":"the slot was lost","recordedAt":"2026-11-23T12:00:00+00:00"}"""),
                Cancelled);
        });

        refusal.ShouldContain("the slot was lost");
        refusal.ShouldContain(middle.Segment.Start.ToString());
    }

    [Fact]
    public async Task A_hole_behind_an_older_backup_does_not_keep_a_moment_before_it_from_being_restored()
    {
        using var directory = new TemporaryDirectory();
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var newest = await agent.PlanAsync(directory["data"]);
        await store.RemoveAsync(newest.WalFiles[0].Pieces[0].Key);

        (await Should.ThrowAsync<NotRestorableException>(() => agent.PlanAsync(directory["data"]))).Message.ShouldContain(newest.WalFiles[0].Segment.Name);
        (await agent.PlanAsync(directory["data"], archive.Rows[4].Lsn)).BackupId.ShouldBe(archive.FirstBackup);
    }

    [Fact]
    public async Task A_backup_of_another_cluster_is_refused() =>
        (await RefusedAsync(async store =>
        {
            var key = new ObjectKey("postgres/identity.json");
            var text = System.Text.Encoding.UTF8.GetString(await store.ReadAsync(key));
            var other = System.Text.RegularExpressions.Regex.Replace(text, "\"\\d{10,}\"", "\"4711\"");
            other.ShouldNotBe(text);
            await store.ReplaceAsync(key, ProvenJson.Prove(other), Cancelled);
        })).ShouldContain("4711");

    [Fact]
    public async Task Too_little_room_is_refused()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = Agent.For(null, archive.Store, space: new TargetSpace(_ => ("disk", 20_000_000)));

        var refusal = await Should.ThrowAsync<SourceException>(() => agent.PlanAsync(directory["data"]));

        refusal.Message.ShouldContain("20 MB free");
        Directory.Exists(directory["data"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_target_in_use_is_refused_and_left_alone()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["data"]);
        File.WriteAllText(directory["data/precious"], "mine");
        File.WriteAllText(directory["file"], "");
        await using var agent = Agent.For(null, archive.Store);

        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(directory["data"]))).Message.ShouldContain("not empty");
        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(directory["file"]))).Message.ShouldContain("is a file");
        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(""))).Message.ShouldContain("--target-directory");
        Directory.GetFileSystemEntries(directory["data"]).ShouldBe([directory["data/precious"]]);
    }

    [Fact]
    public async Task Damage_met_while_reading_stops_the_restore_and_the_next_one_begins_anew()
    {
        using var directory = new TemporaryDirectory();
        var target = directory["data"];
        Directory.CreateDirectory(Path.Combine(target, "lost+found"));
        await using (var sound = Agent.For(null, archive.Store))
        {
            var plan = await sound.PlanAsync(target);
            foreach (var key in (ObjectKey[])[
                new($"postgres/full/{archive.SecondBackup}/base.tar.zst"),
                new($"postgres/full/{archive.SecondBackup}/backup_manifest"),
                plan.WalFiles[0].Pieces[0].Key,
                plan.WalFiles[^1].Pieces[0].Key])
            {
                var store = await archive.CopyAsync();
                await store.FlipAsync(key);
                await using var agent = Agent.For(null, store);

                (await Should.ThrowAsync<NotRestorableException>(() => agent.RestoreAsync(target))).Message.ShouldContain(key.Value);

                await RequireUnfinishedAsync(target);
            }
        }

        await using var again = Agent.For(null, archive.Store);
        await again.RestoreAsync(target);
        Directory.Exists(Path.Combine(target, "lost+found")).ShouldBeTrue();
        Directory.Delete(Path.Combine(target, "lost+found"));
        await using var copy = await PostgresServer.StartOnDirectoryAsync(target, 15);
        (await Ledger.LastAsync(copy)).ShouldBe(RecordedArchive.Last);
        File.Exists(Path.Combine(target, TargetDirectory.InProgress)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_restore_that_was_ended_behind_its_last_step_is_a_server_s_data_and_never_removed()
    {
        using var directory = new TemporaryDirectory();
        var target = directory["data"];
        await using var agent = Agent.For(null, archive.Store);
        await agent.RestoreAsync(target);

        // As SIGKILL leaves it before the mark is gone; then somebody starts the server, and writes.
        await File.WriteAllTextAsync(Path.Combine(target, TargetDirectory.InProgress), "", Cancelled);
        await File.WriteAllTextAsync(Path.Combine(target, "base/precious"), "written since", Cancelled);

        TargetDirectory.Look(target).Kind.ShouldBe(DirectoryKind.Data);
        (await Should.ThrowAsync<UsageException>(() => agent.RestoreAsync(target))).Message.ShouldContain("is not empty");
        File.Exists(Path.Combine(target, "base/precious")).ShouldBeTrue();
    }

    [Fact]
    public async Task A_restore_that_was_ended_before_its_last_step_is_begun_anew()
    {
        using var directory = new TemporaryDirectory();
        var target = directory["data"];
        await using var agent = Agent.For(null, archive.Store);
        await agent.RestoreAsync(target);
        await File.WriteAllTextAsync(Path.Combine(target, TargetDirectory.InProgress), "", Cancelled);
        File.Move(Path.Combine(target, Unpacker.ControlFile), Path.Combine(target, Unpacker.ControlFile + ".new"));

        TargetDirectory.Look(target).Kind.ShouldBe(DirectoryKind.Unfinished);
        await RequireUnfinishedAsync(target);
        await agent.RestoreAsync(target);

        Directory.GetFiles(Path.Combine(target, "global"), "*.new").ShouldBeEmpty();
        TargetDirectory.Look(target).Kind.ShouldBe(DirectoryKind.Data);
    }

    [Fact]
    public async Task Any_store_call_that_fails_leaves_a_target_that_does_not_start()
    {
        using var directory = new TemporaryDirectory();
        var target = directory["data"];
        var faulty = new FaultyObjectStore(archive.Store);
        await using var agent = Agent.For(null, faulty);
        var plan = await agent.PlanAsync(target);
        faulty.FailWhen((_, _) => null);
        await agent.RestoreAsync(plan);
        var calls = faulty.Calls;
        Directory.Delete(target, recursive: true);
        foreach (var fault in (Fault[])[Fault.Permanent, Fault.HalfBody])
        {
            for (var call = 1; call <= calls; call += Math.Max(1, calls / 6))
            {
                faulty.FailCall(call, fault);
                await Should.ThrowAsync<ObjectStoreException>(() => agent.RestoreAsync(plan), $"call {call} of {calls}, {fault}");
                await RequireUnfinishedAsync(target, start: false);
            }
        }
    }

    [Fact]
    public async Task A_restore_that_is_cancelled_leaves_a_target_that_does_not_start()
    {
        using var directory = new TemporaryDirectory();
        using var cancel = new CancellationTokenSource();
        var faulty = new FaultyObjectStore(archive.Store);
        await using var agent = Agent.For(null, faulty);
        var plan = await agent.PlanAsync(directory["data"]);
        faulty.FailFrom(4, Fault.Hang);

        var restore = agent.Source.RestoreAsync(plan, new Progress<TransferProgress>(), cancel.Token);
        await Eventually.TrueAsync(() => faulty.Calls >= 4, "the restore has begun to read");
        await cancel.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => restore);
        await RequireUnfinishedAsync(directory["data"]);
    }

    [Fact]
    public async Task A_log_file_that_is_damaged_after_the_restore_stops_the_server_instead_of_promoting_it()
    {
        foreach (var middle in (bool[])[true, false])
        {
            using var directory = new TemporaryDirectory();
            await using var agent = Agent.For(null, archive.Store);
            var plan = await agent.RestoreAsync(directory["data"]);
            if (middle)
            {
                var path = Path.Combine(directory["data"], "pg_wal", plan.WalFiles[2].Segment.Name);
                var content = await File.ReadAllBytesAsync(path, Cancelled);
                content.AsSpan(content.Length / 2, 64).Clear();
                await File.WriteAllBytesAsync(path, content, Cancelled);
            }
            else
            {
                File.Delete(Path.Combine(directory["data"], "pg_wal", plan.WalFiles[^1].Segment.Name));
            }

            await RequireNoPromotionAsync(directory["data"]);
        }
    }

    private static async Task RequireNoPromotionAsync(string target)
    {
        PostgresServer? server = null;
        string log;
        try
        {
            // It may let somebody look before it comes to the damage.
            server = await PostgresServer.StartOnDirectoryAsync(target, 15);
            await Eventually.TrueAsync(() => !server.IsRunning, "the server ends");
            log = server.ReadLog();
        }
        catch (InvalidOperationException failure)
        {
            log = failure.Message;
        }
        finally
        {
            await (server?.DisposeAsync() ?? ValueTask.CompletedTask);
        }

        log.ShouldContain("recovery ended before configured recovery target was reached");
        log.ShouldNotContain("selected new timeline");
        Directory.GetFiles(Path.Combine(target, "pg_wal"), "00000002*").ShouldBeEmpty();
    }

    private static async Task RequireUnfinishedAsync(string target, bool start = true)
    {
        File.Exists(Path.Combine(target, TargetDirectory.InProgress)).ShouldBeTrue();
        File.Exists(Path.Combine(target, "global/pg_control")).ShouldBeFalse();
        if (start)
        {
            await Should.ThrowAsync<InvalidOperationException>(() => PostgresServer.StartOnDirectoryAsync(target, 15));
        }
    }

    private async Task<string> RefusedAsync(Func<MemoryObjectStore, Task> damage)
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["data"]);
        var store = await archive.CopyAsync();
        await damage(store);
        await using var agent = Agent.For(null, store);
        var refusal = await Should.ThrowAsync<NotRestorableException>(() => agent.PlanAsync(directory["data"]));
        Directory.GetFileSystemEntries(directory["data"]).ShouldBeEmpty();
        return refusal.Message;
    }
}
