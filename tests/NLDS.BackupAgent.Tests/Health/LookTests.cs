using NLDS.BackupAgent.Health;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Health;

public sealed class LookTests
{
    private static readonly TimeSpan Keep = TimeSpan.FromSeconds(10);

    private readonly ManualTime time = new(FakeSource.Day);
    private readonly Look look;
    private Func<Task> answer = () => Task.CompletedTask;
    private int asked;

    public LookTests() => look = new Look(
        "store",
        _ =>
        {
            asked++;
            return answer();
        },
        Keep,
        time,
        CancellationToken.None);

    [Fact]
    public async Task What_hangs_is_told_before_a_probe_is_given_up_and_asked_once()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        answer = () =>
        {
            begun.TrySetResult();
            return new TaskCompletionSource().Task;
        };

        (await AskWhileItHangsAsync()).ShouldBe("store: has not answered for 0.8 s.");
        await begun.Task;
        time.Advance(TimeSpan.FromHours(1));
        (await AskWhileItHangsAsync()).ShouldBe("store: has not answered for 3601.5 s.");

        asked.ShouldBe(1);
    }

    [Fact]
    public async Task What_blocks_its_caller_hangs_no_probe_either()
    {
        using var blocked = new ManualResetEventSlim();
        answer = () =>
        {
            blocked.Wait(TestContext.Current.CancellationToken);
            return Task.CompletedTask;
        };

        (await AskWhileItHangsAsync()).ShouldNotBeNull();
        blocked.Set();
    }

    [Fact]
    public async Task An_answer_counts_for_a_while_and_then_it_is_asked_again()
    {
        (await look.AskAsync()).ShouldBeNull();
        time.Advance(Keep - TimeSpan.FromSeconds(1));
        (await look.AskAsync()).ShouldBeNull();
        asked.ShouldBe(1);

        answer = () => throw new ObjectStoreException("Access denied.", isPermanent: true);
        time.Advance(TimeSpan.FromSeconds(1));
        (await look.AskAsync()).ShouldBe("store: Access denied.");
        asked.ShouldBe(2);

        answer = () => Task.CompletedTask;
        time.Advance(Keep);
        (await look.AskAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task What_it_said_before_it_hung_is_told_too()
    {
        answer = () => throw new ObjectStoreException("Connection refused.", isPermanent: false);
        await look.AskAsync();
        answer = () => new TaskCompletionSource().Task;
        time.Advance(Keep);

        (await AskWhileItHangsAsync()).ShouldBe("store: has not answered for 0.8 s. Before that: store: Connection refused.");
    }

    [Fact]
    public async Task Who_does_not_wait_hears_the_last_answer_until_the_next_one_is_late()
    {
        await look.AskAsync();
        answer = () => new TaskCompletionSource().Task;
        time.Advance(Keep);

        look.Peek().ShouldBeNull();
        time.Advance(Look.Patience);
        look.Peek().ShouldBe("store: has not answered for 0.8 s.");
    }

    private async Task<string?> AskWhileItHangsAsync()
    {
        var asking = look.AskAsync();
        await time.SomebodyWaitsAsync(wait => wait == Look.Patience);
        time.Advance(Look.Patience);
        return await asking;
    }
}
