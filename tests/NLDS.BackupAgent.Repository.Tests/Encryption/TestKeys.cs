using NLDS.BackupAgent.Repository.Encryption;

namespace NLDS.BackupAgent.Repository.Tests.Encryption;

/// <summary>Keys that everybody may know.</summary>
internal static class TestKeys
{
    /// <summary>The bytes 0 to 31: the key of the format's test vector.</summary>
    public static readonly string First = Base64(0);

    public static readonly string Second = Base64(100);

    public static Keyring Ring(params string[] keys)
    {
        var ring = Keyring.Parse(string.Join('\n', keys), out var faults);
        faults.ShouldBeEmpty();
        return ring;
    }

    public static string Id(string key) => Ring(key).Writing!.Id;

    private static string Base64(int from) => Convert.ToBase64String([.. Enumerable.Range(from, 32).Select(value => (byte)value)]);
}
