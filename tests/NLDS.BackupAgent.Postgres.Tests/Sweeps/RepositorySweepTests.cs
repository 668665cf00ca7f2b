using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>What is done with a repository alone, broken at its calls to the store.</summary>
public sealed class RepositorySweepTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_restore_gives_all_of_it_or_nothing_that_starts(Way way)
    {
        using var operation = new RestoreOperation(archive.Store);
        (await new Sweep(operation) { Samples = 2 }.RunAsync(way)).ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_verification_tells_damage_from_a_store_that_fails(Way way) =>
        (await new Sweep(new VerifyOperation(archive)) { Samples = 2 }.RunAsync(way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_prune_removes_nothing_that_is_needed(Way way) =>
        (await new Sweep(new PruneOperation(archive)) { Samples = 2 }.RunAsync(way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_segment_is_delivered_whole_or_not_at_all(Way way)
    {
        using var operation = new FetchOperation(archive);
        (await new Sweep(operation) { Samples = 2 }.RunAsync(way)).ShouldBeGreaterThan(0);
    }
}
