using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Images;

/// <summary>A root directory with nothing in it but the agent, as the Dockerfile publishes it, and the files of the packages that the Dockerfile names. A program is run in it as a container engine would.</summary>
internal sealed class EmptyRoot : IDisposable
{
    /// <summary>Of every Debian image.</summary>
    private const string BasePackage = "libc6";

    /// <summary>The files of a package, into a root.</summary>
    private const string Unpack = """
        dpkg -L "$1" | while read -r file; do if [ ! -d "$file" ]; then echo "$file"; fi; done | tar -C / -c --no-recursion -T - 2>/dev/null | tar -x -C "$2"
        """;

    /// <summary>Only the mounts are the engine's. Each of these becomes the next, so that whoever ends the process ends the program.</summary>
    private const string Engine = """
        set -e
        mount --bind "$1" "$1"
        mount --rbind /dev "$1/dev"
        mount --rbind /proc "$1/proc"
        mount -t tmpfs tmpfs "$1/tmp"
        mount --bind "$2" "$1/backups"
        mount -o remount,bind,ro "$1"
        root=$1 user=$3
        shift 3
        cd "$root"
        exec chroot $user "$root" "$@"
        """;

    private readonly TemporaryDirectory directory = new();

    private string Root => directory["root"];

    /// <summary>What the agent writes into, as /backups.</summary>
    public string Backups => directory["backups"];

    public static async Task<EmptyRoot> PublishAsync(CancellationToken cancellationToken)
    {
        var made = new EmptyRoot();
        foreach (var folder in (ReadOnlySpan<string>)["source", "backups", "root/dev", "root/proc", "root/tmp", "root/backups", "root/opt"])
        {
            Directory.CreateDirectory(made.directory[folder]);
        }

        // Debian's layout since 12.
        foreach (var folder in (ReadOnlySpan<string>)["lib", "lib64", "bin", "sbin"])
        {
            Directory.CreateDirectory(made.directory[$"root/usr/{folder}"]);
            File.CreateSymbolicLink(made.directory[$"root/{folder}"], $"usr/{folder}");
        }

        File.SetUnixFileMode(made.directory.Path, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(made.Backups, (UnixFileMode)0b111_111_111);
        foreach (var (source, destination) in Dockerfile.Stage("build").Copies)
        {
            var target = Path.GetFullPath(destination, made.directory["source"]);
            Directory.CreateDirectory(destination.EndsWith('/') ? target : Path.GetDirectoryName(target)!);
            await ServerProcess.RunAsync("cp", ["-RT", Path.Combine(Checkout.Root, source), source.EndsWith('/') ? target : Path.Combine(target, Path.GetFileName(source))], cancellationToken);
        }

        await ServerProcess.RunAsync("sh", ["-c", "cd \"$1\" && scripts/publish \"$2\"", "sh", made.directory["source"], Path.Combine(made.Root, "opt/nlds-backup")], cancellationToken);
        foreach (var package in Dockerfile.Stage("slim").Packages.Prepend(BasePackage))
        {
            await ServerProcess.RunAsync("sh", ["-c", Unpack, "sh", package, made.Root], cancellationToken);
        }

        return made;
    }

    /// <summary>The program and its arguments for a process that runs <c>nlds-backup</c> with <paramref name="arguments"/> in here, with the image's user.</summary>
    public (string Program, IReadOnlyList<string> Arguments) Command(params IReadOnlyList<string> arguments)
    {
        // Without root there are no other users to become: whoever runs the tests is root in a namespace of his own.
        var isRoot = Environment.UserName == "root";
        string[] apart = isRoot ? [] : ["--map-root-user"];
        return ("unshare",
        [
            .. apart, "--mount", "sh", "-c", Engine, "sh", Root, Backups,
            isRoot ? $"--userspec={Dockerfile.Stage("slim").User}" : "", "/opt/nlds-backup/NLDS.BackupAgent", .. arguments,
        ]);
    }

    public void Dispose() => directory.Dispose();
}
