using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>A prune by hand beside the agent that has the lease.</summary>
public sealed class PruneRequestsTests
{
    private readonly PruneBench bench = new();
    private readonly List<string> asked = [];

    [Fact]
    public async Task The_agent_that_has_the_lease_does_it_and_says_what_came_of_it()
    {
        await bench.FillAsync(20);
        await using var agent = new Process(bench, "agent");
        await using var byHand = new Process(bench, "by hand");
        await using var hold = await agent.TakeAsync();

        var report = await ServedAsync(agent, byHand.AskAsync(asked));

        (report.Backups, report.Plan.Going.Count()).ShouldBe((16, 16));
        report.Objects.ShouldBeGreaterThan(16 * 3);
        (await bench.IdsAsync()).Count.ShouldBe(4);
        agent.Served.ShouldBe(["me@here"]);
        asked.ShouldHaveSingleItem().ShouldContain("is asked to prune");
        (await bench.KeysAsync("source/lease/")).ShouldNotContain("source/lease/request.json");
    }

    [Fact]
    public async Task What_a_guard_refuses_there_is_refused_here_in_the_same_words()
    {
        await bench.FillAsync(20);
        await using var agent = new Process(bench, "agent");
        await using var byHand = new Process(bench, "by hand");
        await using var hold = await agent.TakeAsync();

        (await Should.ThrowAsync<SourceException>(() => ServedAsync(agent, byHand.AskAsync(asked, allowLarge: false)))).Message.ShouldContain("more than half");

        (await bench.IdsAsync()).Count.ShouldBe(20);
    }

    [Fact]
    public async Task An_agent_that_does_not_answer_is_named_and_the_request_is_taken_back()
    {
        await bench.FillAsync(20);
        await using var agent = new Process(bench, "older agent");
        await using var byHand = new Process(bench, "by hand");
        await using var hold = await agent.TakeAsync();

        (await Should.ThrowAsync<SourceException>(() => ServedAsync(null, byHand.AskAsync(asked)))).Message.ShouldMatch("Another agent \\(older agent on .* did not answer");

        (await bench.KeysAsync("source/lease/")).ShouldNotContain("source/lease/request.json");
    }

    [Fact]
    public async Task When_the_agent_ends_meanwhile_it_is_done_here()
    {
        await bench.FillAsync(20);
        await using var agent = new Process(bench, "agent");
        await using var byHand = new Process(bench, "by hand");
        var hold = await agent.TakeAsync();
        var asking = byHand.AskAsync(asked);
        while (asked.Count == 0)
        {
            await Task.Yield();
        }

        await hold.DisposeAsync();

        (await ServedAsync(null, asking)).Backups.ShouldBe(16);
        (await bench.KeysAsync("source/lease/")).ShouldNotContain("source/lease/request.json");
    }

    [Fact]
    public async Task A_later_holder_does_not_do_what_was_asked_of_an_earlier_one()
    {
        await bench.FillAsync(20);
        await using var agent = new Process(bench, "agent");
        await using var hold = await agent.TakeAsync();
        var old = new PruneRequest(Guid.NewGuid(), 0, AllowLarge: true, "me@here", bench.Clock.GetUtcNow());
        await bench.Repository.Documents.PutAsync(new ObjectKey("source/lease/request.json"), old, RetentionJson.Default.PruneRequest, CancellationToken.None);

        await agent.ServeAsync();

        agent.Served.ShouldBeEmpty();
        (await bench.KeysAsync("source/lease/")).ShouldNotContain("source/lease/request.json");
    }

    /// <summary>Lets time pass, and with it beats and looks, until the asking has come to an end.</summary>
    private async Task<PruneReport> ServedAsync(Process? agent, Task<PruneReport> asking)
    {
        while (!asking.IsCompleted)
        {
            if (agent is { IsAsked: true })
            {
                await agent.ServeAsync();
            }

            bench.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }

        return await asking;
    }

    /// <summary>One process's side of it.</summary>
    private sealed class Process : IAsyncDisposable
    {
        private readonly PruneBench bench;
        private readonly WriterLeases leases;
        private readonly Pruner pruner;
        private readonly PruneRequests requests;

        public Process(PruneBench bench, string name)
        {
            this.bench = bench;
            leases = new WriterLeases(bench.Repository, AgentIdentity.OfThisProcess(name), NullLogger<WriterLeases>.Instance);
            pruner = new Pruner(bench.Repository, new RetentionOptions(), NullLogger<Pruner>.Instance, leases);
            requests = new PruneRequests(bench.Repository, pruner, leases);
        }

        public List<string> Served { get; } = [];

        public bool IsAsked => requests.IsAsked("source");

        public async Task<LeaseHold> TakeAsync() => (await leases.For("source").TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();

        public async Task<PruneReport> AskAsync(List<string> asked, bool allowLarge = true) =>
            await requests.PruneAsync(bench, await bench.PlanAsync(), allowLarge, "me@here", asked.Add, CancellationToken.None);

        public Task ServeAsync() => requests.AnswerAsync(
            "source",
            (allowLarge, by) =>
            {
                Served.Add(by);
                return pruner.PruneAsync(bench, allowLarge, null, CancellationToken.None);
            },
            CancellationToken.None);

        public ValueTask DisposeAsync() => leases.DisposeAsync();
    }
}
