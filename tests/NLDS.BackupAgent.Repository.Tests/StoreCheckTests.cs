using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests;

public sealed class StoreCheckTests
{
    private readonly MemoryObjectStore store = new();

    [Fact]
    public async Task A_store_that_works_is_left_as_it_was()
    {
        var findings = await FindAsync(store);

        findings.ShouldAllBe(finding => finding.Verdict == CheckVerdict.Good);
        (await store.ListAsync("", null, TestContext.Current.CancellationToken).CountAsync(TestContext.Current.CancellationToken)).ShouldBe(0);
    }

    [Theory]
    [InlineData("put")]
    [InlineData("list")]
    [InlineData("get")]
    [InlineData("delete")]
    [InlineData("locks")]
    public async Task Whatever_the_store_cannot_do_is_a_fault(string operation)
    {
        using var faulty = new FaultyObjectStore(store);
        faulty.FailWhen((_, asked) => asked == operation ? Fault.Permanent : null);

        var findings = await FindAsync(faulty);

        findings.Count(finding => finding.Verdict == CheckVerdict.Fault).ShouldBe(1);
        if (operation != "delete")
        {
            (await store.ListAsync("", null, TestContext.Current.CancellationToken).CountAsync(TestContext.Current.CancellationToken)).ShouldBe(0);
        }
    }

    private static async Task<List<CheckFinding>> FindAsync(IObjectStore store) =>
        await new StoreCheck(store, TimeProvider.System).CheckAsync(TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
}
