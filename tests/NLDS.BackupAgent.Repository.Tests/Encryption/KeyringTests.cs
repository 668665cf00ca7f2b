using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Tests.Encryption;

public sealed class KeyringTests
{
    [Fact]
    public void The_first_key_writes_and_all_read_whatever_stands_between_them()
    {
        var ring = Keyring.Parse($"\n {TestKeys.First}\r\n\t{TestKeys.Second} \n", out var faults);

        faults.ShouldBeEmpty();
        ring.Writing!.Id.ShouldBe(TestKeys.Id(TestKeys.First));
        ring.Find(TestKeys.Id(TestKeys.Second)).ShouldNotBeNull();
        ring.Require(TestKeys.Id(TestKeys.Second), "x").Id.ShouldBe(TestKeys.Id(TestKeys.Second));
    }

    [Fact]
    public void Without_a_key_nothing_is_encrypted() => Keyring.Parse(null, out _).Writing.ShouldBeNull();

    [Theory]
    [InlineData("", "is set, but empty")]
    [InlineData(" \n", "is set, but empty")]
    [InlineData("a secret!", "is not base64")]
    [InlineData("c2VjcmV0", "has 6 bytes instead of 32")]
    public void What_is_no_key_is_a_fault_that_says_what_to_write(string text, string fault)
    {
        var options = new EncryptionOptions { Key = text };

        var said = options.Validate(new ValidationContext(options)).ToList();

        said.ShouldContain(result => result.ErrorMessage!.StartsWith("Repository:Encryption:Key", StringComparison.Ordinal)
            && result.ErrorMessage.Contains(fault, StringComparison.Ordinal) && result.ErrorMessage.Contains("openssl rand -base64 32", StringComparison.Ordinal));
        Should.Throw<InvalidOperationException>(() => options.Keyring());
    }

    [Fact]
    public void Every_fault_is_said_at_once_and_none_says_a_key()
    {
        Keyring.Parse($"{TestKeys.First} c2VjcmV0 {TestKeys.First} nonsense=", out var faults);

        faults.Count.ShouldBe(3);
        faults[0].ShouldContain("key 2 of 4");
        faults[1].ShouldContain("twice");
        faults.ShouldAllBe(fault => !fault.Contains("c2Vj") && !fault.Contains(TestKeys.First) && !fault.Contains("nonsense"));
    }

    [Fact]
    public void A_missing_key_is_named_with_what_to_do()
    {
        var missing = Should.Throw<NotRestorableException>(() => TestKeys.Ring(TestKeys.First).Require(TestKeys.Id(TestKeys.Second), "a/b.enc"));

        missing.Message.ShouldBe(
            $"The object 'a/b.enc' is encrypted with key {TestKeys.Id(TestKeys.Second)}, which is not configured (configured: {TestKeys.Id(TestKeys.First)}): "
            + "add it to Repository:Encryption:Key or KeyFile.");
    }
}
