using System.Text.Json;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>
/// The directory of one drill: everything that it restores, and where its servers work. It says whose it is, so that what a killed drill left, running servers included,
/// is removed by the next one.
/// </summary>
internal sealed class DrillScratch : IAsyncDisposable
{
    private const string Prefix = "nlds-drill-";
    private const string OwnerFile = "owner.json";
    private const int Kill = 9;

    /// <summary>The servers run as others, who must get through.</summary>
    private const UnixFileMode Passable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static readonly TimeSpan LetGo = TimeSpan.FromMilliseconds(50);

    private readonly TimeProvider clock;

    private DrillScratch(string path, TimeProvider clock) => (Path, this.clock) = (path, clock);

    public string Path { get; }

    public static DrillScratch Create(string root, string id, TimeProvider clock)
    {
        Directory.CreateDirectory(root);
        var scratch = new DrillScratch(System.IO.Path.Combine(root, Prefix + id), clock);
        Directory.CreateDirectory(scratch.Path, Passable);
        File.WriteAllBytes(
            System.IO.Path.Combine(scratch.Path, OwnerFile), JsonSerializer.SerializeToUtf8Bytes(ProcessIdentity.OfThisProcess, RecoveryJson.Default.ProcessIdentity));
        return scratch;
    }

    /// <summary>Removes what drills left whose process is gone.</summary>
    /// <param name="root">Where drills make their directories.</param>
    /// <param name="longest">Whoever cannot be asked whether he lives, because he runs in another container or ran before a reboot, has ended after this time.</param>
    /// <param name="clock">For the age of what is left.</param>
    /// <returns>What was removed.</returns>
    public static async Task<IReadOnlyList<string>> SweepAsync(string root, TimeSpan longest, TimeProvider clock)
    {
        if (!Directory.Exists(root))
        {
            return [];
        }

        List<string> removed = [];
        foreach (var left in Directory.EnumerateDirectories(root, Prefix + "*").ToList())
        {
            if (IsAlive(left) is { } known ? !known : clock.GetUtcNow() - Directory.GetCreationTimeUtc(left) > longest)
            {
                try
                {
                    await new DrillScratch(left, clock).DisposeAsync();
                    removed.Add(left);
                }
                catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
                {
                    // Another user's, whose own next drill removes it.
                }
            }
        }

        return removed;
    }

    /// <summary>For one source: where its data go, which the restore makes, and an empty private directory.</summary>
    public (string Data, string PrivateDirectory) For(string source)
    {
        var own = System.IO.Path.Combine(Path, source);
        Directory.CreateDirectory(own, Passable);
        var privateDirectory = System.IO.Path.Combine(own, "run");
        Directory.CreateDirectory(privateDirectory, Private);
        return (System.IO.Path.Combine(own, "data"), privateDirectory);
    }

    public async ValueTask DisposeAsync()
    {
        // A server that outlived its drill would write on while its files are removed.
        foreach (var process in DirectoryUsers.Within(Path))
        {
            UnixFiles.Signal(process, Kill);
        }

        for (var attempt = 0; Directory.Exists(Path); attempt++)
        {
            try
            {
                Directory.Delete(Path, recursive: true);
            }
            catch (IOException) when (attempt < 100)
            {
                // What was killed has not let go yet.
                await Task.Delay(LetGo, clock, CancellationToken.None);
            }
        }
    }

    /// <summary>Null when it cannot be known.</summary>
    private static bool? IsAlive(string directory)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(System.IO.Path.Combine(directory, OwnerFile)), RecoveryJson.Default.ProcessIdentity)?.IsAlive();
        }
        catch (Exception unreadable) when (unreadable is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
