using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Testing.Sweeps;

/// <summary>What holds of a repository at every moment, read without the program's own code.</summary>
public static class RepositoryInvariants
{
    /// <exception cref="SweepException">A sealed backup names an object that is absent, or that is not the one it sealed.</exception>
    public static async Task RequireAsync(IObjectStore store)
    {
        await foreach (var info in store.ListAsync("", null, CancellationToken.None))
        {
            if (info.Key.Value.EndsWith("manifest.json", StringComparison.Ordinal))
            {
                foreach (var named in JsonNode.Parse(await store.ReadWholeAsync(info.Key))!["objects"]!.AsArray())
                {
                    await RequireAsync(store, info.Key, new ObjectKey(named!["key"]!.GetValue<string>()), named["storedSha256"]!.GetValue<string>());
                }
            }
        }
    }

    private static async Task RequireAsync(IObjectStore store, ObjectKey manifest, ObjectKey named, string hash)
    {
        if (await store.HeadAsync(named, CancellationToken.None) is null)
        {
            throw new SweepException($"'{manifest}' is sealed and names '{named}', which is not there.");
        }

        if (Convert.ToHexStringLower(SHA256.HashData(await store.ReadWholeAsync(named))) != hash)
        {
            throw new SweepException($"'{manifest}' is sealed and '{named}' is not what it sealed.");
        }
    }
}
