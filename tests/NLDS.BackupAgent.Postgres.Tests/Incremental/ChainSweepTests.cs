using NLDS.BackupAgent.Postgres.Tests.Sweeps;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>A restore of a chain, broken at its calls to the store.</summary>
public sealed class ChainSweepTests(RecordedChain chain) : IClassFixture<RecordedChain>
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_restore_of_a_chain_gives_all_of_it_or_nothing_that_starts(Way way)
    {
        using var operation = new RestoreOperation(chain.Store);
        (await new Sweep(operation) { Samples = 2 }.RunAsync(way)).ShouldBeGreaterThan(0);
    }
}
