using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Configuration;

/// <summary>The repository's key is a secret like a password, and may be several.</summary>
public sealed class EncryptionKeyTests : IDisposable
{
    private const string Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    private const string OldKey = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=";

    private readonly AgentUnderTest agent = new();

    public EncryptionKeyTests() => agent.Environment["Storage__Directory__Path"] = "/mnt/backups";

    public void Dispose() => agent.Dispose();

    [Fact]
    public void Keys_come_from_a_file_one_a_line_and_none_of_them_is_ever_printed()
    {
        agent.Environment["Repository__Encryption__KeyFile"] = agent.Write("keys", $"{Key}\r\n{OldKey}\n");

        Load().Settings["Repository:Encryption:Key"].ShouldBe($"{Key}\r\n{OldKey}");

        agent.Scrubber.Scrub($"one {Key}, the other {OldKey}, and both:\n{Key}\r\n{OldKey}").ShouldBe("one ***, the other ***, and both:\n***");
    }

    [Fact]
    public void Keys_in_one_line_are_scrubbed_one_by_one_too()
    {
        agent.Environment["Repository__Encryption__Key"] = $"{Key} {OldKey}";
        Load();

        agent.Scrubber.Scrub(OldKey).ShouldBe("***");
        agent.Scrubber.Scrub("a wrong key is no secret word").ShouldBe("a wrong key is no secret word");
    }

    [Fact]
    public void An_empty_file_is_a_fault_and_never_backups_in_the_clear()
    {
        agent.Environment["Repository__Encryption__KeyFile"] = agent.Write("keys", "\n");

        Faults().ShouldHaveSingleItem().ShouldStartWith("Repository:Encryption:Key is set, but empty.");
    }

    [Fact]
    public void A_key_and_a_file_exclude_each_other()
    {
        agent.Environment["Repository__Encryption__Key"] = Key;
        agent.Environment["Repository__Encryption__KeyFile"] = agent.Write("keys", OldKey);

        Faults().ShouldBe(["Repository:Encryption:Key and Repository:Encryption:KeyFile are both set. Keep one of them."]);
    }

    [Fact]
    public void What_is_no_key_is_said_without_saying_it()
    {
        agent.Environment["Repository__Encryption__Key"] = $"{Key} correct-horse";

        var fault = Faults().ShouldHaveSingleItem();
        fault.ShouldStartWith("Repository:Encryption:Key, key 2 of 2, is not base64.");
        fault.ShouldNotContain("horse");
    }

    private AgentConfiguration Load() => AgentConfiguration.Load(agent.Surroundings, null, Program.House(), agent.Scrubber);

    private IEnumerable<string> Faults() => Should.Throw<ConfigurationFaultsException>(Load).Faults.Select(fault => fault.ToString());
}
