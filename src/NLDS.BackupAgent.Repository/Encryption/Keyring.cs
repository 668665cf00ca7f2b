using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>The configured keys: the first writes, all read. Without any, what is written is not encrypted and not authenticated.</summary>
internal sealed class Keyring(IReadOnlyList<RepositoryKey> keys)
{
    public static Keyring Empty { get; } = new([]);

    /// <summary>The key that writes; null when nothing is encrypted.</summary>
    public RepositoryKey? Writing => keys.Count > 0 ? keys[0] : null;

    public IReadOnlyList<RepositoryKey> All => keys;

    /// <summary>The keys' ids, for messages.</summary>
    public string Names => keys.Count == 0 ? "none" : string.Join(", ", keys.Select(key => key.Id));

    public RepositoryKey? Find(string id) => keys.FirstOrDefault(key => key.Id == id);

    /// <param name="name">The object that needs the key, for the message.</param>
    /// <exception cref="NotRestorableException">The key is not configured.</exception>
    public RepositoryKey Require(string id, string name) => Find(id) ?? throw new NotRestorableException(Missing($"The object '{name}' is encrypted", id));

    /// <summary>What is said where a key is missing.</summary>
    public string Missing(string what, string id) =>
        $"{what} with key {id}, which is not configured{(keys.Count == 0 ? "" : $" (configured: {Names})")}: add it to Repository:Encryption:Key or KeyFile.";

    /// <summary>Reads keys in base64, separated by white space.</summary>
    /// <param name="text">Null for no keys.</param>
    /// <param name="faults">What is wrong, in sentences that hold nothing of a key.</param>
    public static Keyring Parse(string? text, out IReadOnlyList<string> faults)
    {
        var found = new List<string>();
        var keys = new List<RepositoryKey>();
        faults = found;
        if (text is null)
        {
            return Empty;
        }

        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
        {
            found.Add($"Repository:Encryption:Key is set, but empty. {HowToMake} To keep backups unencrypted, leave it out.");
        }

        for (var i = 0; i < words.Length; i++)
        {
            var which = words.Length == 1 ? "Repository:Encryption:Key" : $"Repository:Encryption:Key, key {i + 1} of {words.Length},";
            if (Fault(words[i], out var key) is { } fault)
            {
                found.Add($"{which} {fault} {HowToMake}");
            }
            else if (keys.Any(other => other.Id == key!.Id))
            {
                found.Add($"{which} is there twice. Remove one.");
            }
            else
            {
                keys.Add(key!);
            }
        }

        return new Keyring(keys);
    }

    private const string HowToMake = "Write 32 random bytes in base64: openssl rand -base64 32.";

    private static string? Fault(string word, out RepositoryKey? key)
    {
        key = null;
        var bytes = new byte[word.Length];
        if (!Convert.TryFromBase64String(word, bytes, out var count))
        {
            return "is not base64.";
        }

        if (count != RepositoryKey.Bytes)
        {
            return $"has {count} bytes instead of 32.";
        }

        key = new RepositoryKey(bytes.AsSpan(0, count));
        CryptographicOperations.ZeroMemory(bytes);
        return null;
    }
}
