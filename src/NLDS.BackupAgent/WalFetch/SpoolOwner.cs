using System.Text;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>Whose recovery a spool is for, and from where: what was fetched for one must never be given to another.</summary>
/// <param name="Directory">The folder that the server wants its files in, by its full path.</param>
/// <param name="Configuration">A fingerprint of everything that says which repository is meant, and of this boot of the machine.</param>
internal sealed record SpoolOwner(string Directory, string Configuration)
{
    /// <summary>
    /// Spooled files are not flushed, which would double the work of the disk, so after a crash of the machine they may hold anything. This file changes
    /// with each boot (random(4)), and the spool's owner with it.
    /// </summary>
    private const string BootId = "/proc/sys/kernel/random/boot_id";

    private const ulong HashStart = 14695981039346656037;
    private const ulong HashPrime = 1099511628211;

    public static SpoolOwner Of(WalFetchArguments arguments, StartingPlace place)
    {
        var hash = HashStart;
        foreach (var file in (string?[])[BootId, Settings(place.BinaryDirectory), Settings(place.WorkingDirectory), arguments.ConfigFile])
        {
            if (file is not null && Path.GetFullPath(file, place.WorkingDirectory) is var path && File.Exists(path))
            {
                Add(ref hash, Encoding.UTF8.GetBytes(path));
                Add(ref hash, File.ReadAllBytes(path));
            }
        }

        var variables = new List<string>();
        foreach (var (name, value) in place.Environment)
        {
            if (MaySayWhereTheRepositoryIs(name))
            {
                variables.Add($"{name}={value}");
            }
        }

        variables.Sort(StringComparer.Ordinal);
        foreach (var variable in variables)
        {
            Add(ref hash, Encoding.UTF8.GetBytes(variable));
        }

        return new SpoolOwner(Path.GetDirectoryName(Path.GetFullPath(arguments.Path, place.WorkingDirectory))!, hash.ToString("x16", null));
    }

    /// <summary>This server's folder, for when none was named. The configuration may hold secrets, so not even their fingerprint is in a name that all can see.</summary>
    public string FolderIn(string temporaryDirectory)
    {
        var hash = HashStart;
        Add(ref hash, Encoding.UTF8.GetBytes(Directory));
        return Path.Combine(temporaryDirectory, $"nlds-wal-{PrivateDirectory.User}-{hash:x16}");
    }

    private static string Settings(string directory) => Path.Combine(directory, "appsettings.json");

    /// <summary>The keys of the configuration, and what the AWS SDK reads.</summary>
    private static bool MaySayWhereTheRepositoryIs(string variable) =>
        variable.Contains("__", StringComparison.Ordinal) || variable.Contains(':') || variable.StartsWith("AWS_", StringComparison.Ordinal);

    /// <summary>FNV-1a, 64 bits: nobody but the owner chooses what is hashed, and loading a cryptographic library takes longer than a delivery.</summary>
    private static void Add(ref ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (var one in bytes)
        {
            hash = (hash ^ one) * HashPrime;
        }

        hash = (hash ^ (ulong)bytes.Length) * HashPrime;
    }
}
