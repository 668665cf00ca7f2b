using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Backups;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Encryption;

public sealed class EncryptionCheckTests
{
    private readonly MemoryObjectStore store = new();

    [Fact]
    public async Task Without_a_key_it_says_who_can_read_the_backups() =>
        (await FindAsync(null)).ShouldHaveSingleItem().Message.ShouldContain("whoever can read the store can read the backups");

    [Fact]
    public async Task A_key_is_named_before_its_first_use_and_after_it()
    {
        (await FindAsync(TestKeys.First)).ShouldHaveSingleItem().Message.ShouldStartWith($"{TestKeys.Id(TestKeys.First)} will encrypt from the first write on");
        (await store.ListAsync("", null, CancellationToken.None).CountAsync()).ShouldBe(0);
        await PrepareAsync(TestKeys.First);

        var found = (await FindAsync(TestKeys.First)).ShouldHaveSingleItem();
        found.Verdict.ShouldBe(CheckVerdict.Good);
        found.Message.ShouldStartWith($"{TestKeys.Id(TestKeys.First)} encrypts since ");
    }

    [Fact]
    public async Task A_lost_key_and_a_wrong_one_are_faults_and_an_old_one_that_is_gone_a_warning()
    {
        await PrepareAsync(TestKeys.First);
        (await FindAsync(null)).ShouldHaveSingleItem().Verdict.ShouldBe(CheckVerdict.Fault);
        (await FindAsync(TestKeys.Second)).ShouldHaveSingleItem().Verdict.ShouldBe(CheckVerdict.Fault);

        await PrepareAsync($"{TestKeys.Second} {TestKeys.First}");
        (await FindAsync($"{TestKeys.Second} {TestKeys.First}")).ShouldAllBe(finding => finding.Verdict == CheckVerdict.Good);
        var warning = (await FindAsync(TestKeys.Second))[1];
        warning.Verdict.ShouldBe(CheckVerdict.Warning);
        warning.Message.ShouldContain(TestKeys.Id(TestKeys.First));
    }

    [Fact]
    public async Task A_store_that_cannot_be_read_is_a_fault()
    {
        using var faulty = new FaultyObjectStore(store);
        faulty.FailFrom(1, Fault.Permanent);

        (await new EncryptionCheck(faulty, TestKeys.Ring(TestKeys.First)).CheckAsync(CancellationToken.None).ToListAsync())
            .ShouldHaveSingleItem().Verdict.ShouldBe(CheckVerdict.Fault);
    }

    private Task PrepareAsync(string keys) => new BackupBench(store, keys: keys).Repository.PrepareAsync(CancellationToken.None);

    private async Task<List<CheckFinding>> FindAsync(string? keys) =>
        await new EncryptionCheck(store, Keyring.Parse(keys, out _)).CheckAsync(CancellationToken.None).ToListAsync();
}
