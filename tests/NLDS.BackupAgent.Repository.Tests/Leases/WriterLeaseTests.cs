using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Leases;

public sealed class WriterLeaseTests
{
    private static readonly TimeSpan Lapse = LeaseTiming.Default.Lapse;
    private static readonly TimeSpan Validity = LeaseTiming.Default.Validity;
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly MemoryObjectStore store = new();

    private static CancellationToken None => CancellationToken.None;

    [Fact]
    public async Task A_second_agent_on_the_same_machine_is_refused_at_once_by_name()
    {
        var first = new LeaseAgent(store, "first");
        await using var hold = await first.TakeAsync();
        var second = new LeaseAgent(store, "second", first.Machine);

        var refusal = await Should.ThrowAsync<SourceException>(() => second.Lease.HoldAsync(None));

        refusal.IsPermanent.ShouldBeTrue();
        refusal.Message.ShouldBe(
            $"Another agent (first on first, process {first.Process.ProcessId}, since 2026-01-01 00:00:00Z) writes the archive of postgres in memory. "
            + "Stop it, or give this one another Storage prefix.");
    }

    [Fact]
    public async Task A_process_that_is_gone_from_this_machine_is_succeeded_at_once()
    {
        var first = new LeaseAgent(store, "first");
        await first.TakeAsync();
        first.Kill();

        await using var hold = await new LeaseAgent(store, "second", first.Machine).TakeAsync();

        (await KeysAsync()).ShouldBe(["postgres/lease/0000000000000002.json"]);
    }

    [Fact]
    public async Task What_was_given_back_in_order_is_free_at_once_everywhere()
    {
        await (await new LeaseAgent(store, "first").TakeAsync()).DisposeAsync();

        await using var hold = await new LeaseAgent(store, "second").TakeAsync();
    }

    [Fact]
    public async Task A_silent_holder_elsewhere_lapses_by_the_own_clock_and_not_before()
    {
        var first = new LeaseAgent(store, "first");
        await first.TakeAsync();
        first.Kill();
        var second = new LeaseAgent(store, "second");
        (await second.RefusalAsync()).IsAlive.ShouldBeFalse();

        second.Clock.Advance(Lapse - Second);
        (await second.RefusalAsync()).IsAlive.ShouldBeFalse();
        second.Clock.Advance(Second);

        await using var hold = await second.TakeAsync();
    }

    [Fact]
    public async Task A_holder_elsewhere_that_beats_is_known_to_live_however_wrong_its_clock_is()
    {
        var first = new LeaseAgent(store, "first");
        first.Clock.Advance(TimeSpan.FromDays(400));
        await using var hold = await first.TakeAsync();
        var second = new LeaseAgent(store, "second");
        var holding = second.Lease.HoldAsync(None);
        await second.Clock.WaitForTimerAsync(LeaseTiming.Default.Look);

        await first.BeatAsync(store);
        second.Clock.Advance(LeaseTiming.Default.Look);

        (await Should.ThrowAsync<SourceException>(() => holding)).Message.ShouldContain("first on first");
    }

    [Fact]
    public async Task One_that_waits_takes_over_when_the_holder_falls_silent()
    {
        var first = new LeaseAgent(store, "first");
        await first.TakeAsync();
        var second = new LeaseAgent(store, "second");
        await second.RefusalAsync();
        await first.BeatAsync(store);
        second.Clock.Advance(LeaseTiming.Default.Beat);
        (await second.RefusalAsync()).IsAlive.ShouldBeTrue();

        first.Kill();
        second.Clock.Advance(Lapse);

        await using var hold = await second.TakeAsync();
    }

    [Fact]
    public async Task A_holder_that_is_cut_off_from_the_store_stops_by_itself_before_another_may_begin()
    {
        var first = new LeaseAgent(store, "first");
        await using var hold = await first.TakeAsync();
        var second = new LeaseAgent(store, "second");
        await second.RefusalAsync();
        first.Store.FailFrom(1, Fault.Transient);

        first.Clock.Advance(Validity - Second);
        await first.Lease.RequireTimelyAsync(None);
        first.Clock.Advance(Second);
        var writing = first.Lease.RequireTimelyAsync(None);
        writing.IsCompleted.ShouldBeFalse();
        second.Clock.Advance(Validity);
        (await second.RefusalAsync()).IsAlive.ShouldBeFalse();

        second.Clock.Advance(Lapse - Validity);
        await using var taken = await second.TakeAsync();
        first.Store.FailWhen((_, _) => null);
        await PassAsync(first, () => hold.IsLost);

        (await Should.ThrowAsync<SourceException>(() => writing)).Message.ShouldContain("second on second");
    }

    [Fact]
    public async Task A_holder_that_nobody_succeeded_meanwhile_takes_the_next_epoch_and_goes_on()
    {
        var first = new LeaseAgent(store, "first");
        await using var hold = await first.TakeAsync();
        first.Store.FailFrom(1, Fault.Transient);
        await PassAsync(first, () => first.Store.Calls > 3);
        first.Clock.Advance(Lapse);
        var writing = first.Lease.RequireTimelyAsync(None);
        writing.IsCompleted.ShouldBeFalse();

        first.Store.FailWhen((_, _) => null);
        await PassAsync(first, () => writing.IsCompleted);

        await writing;
        hold.IsLost.ShouldBeFalse();
        (await KeysAsync()).ShouldContain("postgres/lease/0000000000000002.json");
    }

    [Fact]
    public async Task A_writer_does_not_wait_for_a_dead_store_for_ever()
    {
        var first = new LeaseAgent(store, "first");
        await using var hold = await first.TakeAsync();
        first.Store.FailFrom(1, Fault.Hang);
        first.Clock.Advance(Validity);
        var writing = first.Lease.RequireTimelyAsync(None);

        await PassAsync(first, () => writing.IsCompleted);

        var failure = await Should.ThrowAsync<SourceException>(() => writing);
        failure.IsPermanent.ShouldBeFalse();
        failure.Message.ShouldContain("could not be renewed");
        first.Store.FailWhen((_, _) => null);
    }

    [Fact]
    public async Task A_machine_that_was_paused_finds_its_successor_before_it_removes_or_seals_anything()
    {
        var paused = new LeaseAgent(store, "paused");
        await using var hold = await paused.TakeAsync();
        await store.PutIfAbsentAsync(new ObjectKey("postgres/wal/tail/chunk"), new byte[1], None);
        var fenced = paused.Lease.Fence(store);

        // Two more have come and gone meanwhile; for the paused one no time has passed.
        var second = new LeaseAgent(store, "second");
        await second.RefusalAsync();
        second.Clock.Advance(Lapse);
        await (await second.TakeAsync()).DisposeAsync();
        await using var third = await new LeaseAgent(store, "third").TakeAsync();

        (await Should.ThrowAsync<SourceException>(() => fenced.DeleteAsync([new ObjectKey("postgres/wal/tail/chunk")], None))).Message.ShouldContain("third on third");
        await Should.ThrowAsync<SourceException>(() => paused.Lease.RequireAsync(None));
        await Should.ThrowAsync<SourceException>(() => fenced.PutIfAbsentAsync(new ObjectKey("postgres/wal/x"), new byte[1], None));
        hold.IsLost.ShouldBeTrue();
        (await KeysAsync("postgres/wal/")).ShouldBe(["postgres/wal/tail/chunk"]);
    }

    [Fact]
    public async Task A_backup_whose_writer_was_succeeded_is_not_sealed()
    {
        var bench = new Backups.BackupBench(store);
        var paused = new LeaseAgent(store, "paused");
        await using var hold = await paused.TakeAsync();
        await using (var session = await bench.Repository.BeginBackupAsync(Backups.BackupBench.Folders, paused.Lease, None))
        {
            await Backups.BackupBench.PutObjectsAsync(session);
            paused.Kill();
            await using var second = await new LeaseAgent(store, "second", paused.Machine).TakeAsync();
            paused.Store.FailWhen((_, _) => null);

            await Should.ThrowAsync<SourceException>(() => session.SealAsync(Backups.BackupBench.Details, None));
        }

        (await bench.Repository.ListBackupsAsync(Backups.BackupBench.Folders, None)).ShouldBeEmpty();
    }

    [Fact]
    public async Task When_the_store_cannot_say_who_is_newest_nothing_is_removed()
    {
        var first = new LeaseAgent(store, "first");
        await using var hold = await first.TakeAsync();
        first.Store.FailWhen((_, operation) => operation == "list" ? Fault.Transient : null);

        await Should.ThrowAsync<ObjectStoreException>(() => first.Lease.RequireAsync(None));
    }

    [Fact]
    public async Task Many_seals_within_a_second_look_into_the_store_once()
    {
        var first = new LeaseAgent(store, "first");
        await using var hold = await first.TakeAsync();
        var before = first.Store.Calls;

        for (var i = 0; i < 20; i++)
        {
            await first.Lease.RequireAsync(None);
        }

        (first.Store.Calls - before).ShouldBe(1);
    }

    [Fact]
    public async Task Several_parts_of_a_process_hold_one_lease_and_the_last_gives_it_back()
    {
        var first = new LeaseAgent(store, "first");
        var tail = await first.TakeAsync();
        var prune = await first.TakeAsync();
        var second = new LeaseAgent(store, "second", first.Machine);

        await tail.DisposeAsync();
        await tail.DisposeAsync();
        await first.Lease.RequireAsync(None);
        (await second.RefusalAsync()).IsAlive.ShouldBeTrue();
        await prune.DisposeAsync();

        await using var hold = await second.TakeAsync();
        (await Should.ThrowAsync<SourceException>(() => first.Lease.RequireAsync(None))).Message.ShouldContain("does not hold");
    }

    [Fact]
    public async Task An_epoch_that_was_over_long_ago_is_not_won_again()
    {
        await (await new LeaseAgent(store, "before").TakeAsync()).DisposeAsync();
        var slow = new LeaseAgent(store, "slow");
        LeaseHold? newest = null;
        slow.Store.FailWhen((_, operation) =>
        {
            // It has seen epoch 1 released. While it makes up its mind two others come, and the second of them clears away what the first one was.
            if (operation == "put" && newest is null)
            {
                new LeaseAgent(store, "quick").TakeAsync().Result.DisposeAsync().AsTask().Wait();
                newest = new LeaseAgent(store, "quicker").TakeAsync().Result;
            }

            return null;
        });

        (await slow.RefusalAsync()).Message.ShouldContain("quicker on quicker");

        (await new LeaseAgent(store, "another").RefusalAsync()).Message.ShouldContain("quicker on quicker");
        await newest!.DisposeAsync();
    }

    [Fact]
    public async Task A_lease_whose_put_succeeded_and_was_reported_as_failed_is_taken_at_the_next_attempt()
    {
        var first = new LeaseAgent(store, "first");
        first.Store.FailWhen((_, operation) => operation == "put" ? Fault.LostAnswer : null);
        await Should.ThrowAsync<ObjectStoreException>(() => first.Lease.TryHoldAsync(None));
        first.Store.FailWhen((_, _) => null);

        await using var hold = await first.TakeAsync();
    }

    [Fact]
    public async Task A_damaged_lease_keeps_nobody_out_for_longer_than_the_lapse()
    {
        await store.PutIfAbsentAsync(new ObjectKey("postgres/lease/0000000000000007.json"), "{}"u8.ToArray(), None);
        var agent = new LeaseAgent(store, "agent");
        (await agent.RefusalAsync()).Message.ShouldContain("damaged");

        agent.Clock.Advance(Lapse);

        await using var hold = await agent.TakeAsync();
        (await KeysAsync()).ShouldBe(["postgres/lease/0000000000000008.json"]);
    }

    [Fact]
    public async Task Check_says_who_holds_it()
    {
        var first = new LeaseAgent(store, "first");
        (await first.Lease.DescribeAsync(None)).ShouldBe("no agent has written here yet");
        await using (await first.TakeAsync())
        {
            (await first.Lease.DescribeAsync(None)).ShouldContain("held by first on first");
        }

        (await first.Lease.DescribeAsync(None)).ShouldContain("free; first on first gave it back");
    }

    /// <summary>Lets the agent's time pass, a second at a time, until something has come about.</summary>
    private static Task PassAsync(LeaseAgent agent, Func<bool> condition) => Eventually.TrueAsync(
        () =>
        {
            agent.Clock.Advance(Second);
            return condition();
        },
        "it has come about");

    private async Task<List<string>> KeysAsync(string prefix = "postgres/lease/")
    {
        var keys = new List<string>();
        await foreach (var entry in store.ListAsync(prefix, null, None))
        {
            keys.Add(entry.Key.Value);
        }

        return keys;
    }
}
