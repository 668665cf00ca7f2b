using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>The directory that a restore writes, under the names that redis-server has by default.</summary>
internal sealed class TargetDirectory(string path)
{
    /// <summary>Present while a restore is writing. A directory that has it holds nothing but an unfinished restore.</summary>
    public const string InProgress = "nlds-restore-in-progress";

    private const int Kill = 9;

    private static readonly TimeSpan LetGo = TimeSpan.FromMilliseconds(50);

    /// <summary>Behind the name of what waits to be put in place.</summary>
    public const string New = ".new";

    public string Path { get; } = path;

    public string Dump => In("dump.rdb");

    public string SingleAof => In("appendonly.aof");

    public string AofDirectory => In("appendonlydir");

    public string AofBase => System.IO.Path.Combine(AofDirectory, "appendonly.aof.1.base.rdb");

    public string AofCommands => System.IO.Path.Combine(AofDirectory, "appendonly.aof.1.incr.aof");

    public string AofManifest => System.IO.Path.Combine(AofDirectory, "appendonly.aof.manifest");

    public string Scratch => In("nlds-scratch");

    public string Mark => In(InProgress);

    public static string Require(string? directory) => string.IsNullOrWhiteSpace(directory)
        ? throw new UsageException("Say where to restore to: --target-directory DIR. It must be empty or absent.")
        : System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(directory));

    /// <exception cref="UsageException">Something is in the way.</exception>
    public void RequireEmpty()
    {
        if (File.Exists(Path))
        {
            throw new UsageException($"'{Path}' is a file. Name a directory that is empty or absent.");
        }

        if (Directory.Exists(Path) && !IsUnfinished && Contents().Any())
        {
            throw new UsageException($"'{Path}' is not empty. Nothing was written. Name an empty or absent directory, or move what is there aside.");
        }
    }

    public DirectoryContent Look()
    {
        const int shown = 4;
        if (!Directory.Exists(Path))
        {
            return File.Exists(Path) ? new(DirectoryKind.Strange, "a file") : new(DirectoryKind.Empty, "nothing: it does not exist");
        }

        if (IsUnfinished)
        {
            return new(DirectoryKind.Unfinished, "a restore of this program that did not come to its end");
        }

        List<string> names = [.. Contents().Take(shown + 1).Select(entry => System.IO.Path.GetFileName(entry)).Order(StringComparer.Ordinal)];
        return names.Count == 0 ? new(DirectoryKind.Empty, "nothing")
            : File.Exists(Dump) || File.Exists(SingleAof) || File.Exists(AofManifest) ? new(DirectoryKind.Data, "the data of a Redis server")
            : new(DirectoryKind.Strange, $"files that are no Redis server's data under the default names ({string.Join(", ", names.Take(shown))}{(names.Count > shown ? ", …" : "")})");
    }

    /// <summary>
    /// A redis-server that folded for an attempt that was killed lives on: it holds all of the data in memory, and writes where this attempt writes.
    /// </summary>
    public async Task EndLeftoversAsync(TimeProvider clock, CancellationToken cancellationToken)
    {
        const int attempts = 100; // of 50 ms: a process that was killed is gone at once, unless the kernel itself waits for a disk
        for (var attempt = 0; attempt < attempts && DirectoryUsers.Within(Scratch) is { Count: > 0 } left; attempt++)
        {
            foreach (var process in left)
            {
                UnixFiles.Signal(process, Kill);
            }

            await Task.Delay(LetGo, clock, cancellationToken);
        }
    }

    /// <summary>Makes it a directory that no redis-server starts from, whichever way it keeps its data, until the restore is finished.</summary>
    public void Begin(string backup)
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(Path, ownerOnly);
        File.SetUnixFileMode(Path, ownerOnly);
        File.WriteAllText(Mark, $"A restore of Redis backup {backup} is writing here, or was interrupted. redis-server refuses to start from this directory.\n");
        Directory.CreateDirectory(AofDirectory, ownerOnly);

        // Before anything of an earlier attempt goes: a directory without one of them is one from which a server starts empty, or with what is left.
        foreach (var refusing in (string[])[Dump, SingleAof, AofManifest])
        {
            WriteSmall(refusing + New, Refusal);
            File.Move(refusing + New, refusing, overwrite: true);
        }

        Clear();
    }

    /// <summary>
    /// No version reads a file that begins like this, as an RDB file, an append-only file or a manifest: a server that would ignore the data of this directory ends with
    /// an error instead of starting empty.
    /// </summary>
    public static string Refusal => "REDIS9999 written by nlds restore: this server would not see the restored data. See the restore's messages.\n";

    public static void WriteSmall(string path, string content)
    {
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(System.Text.Encoding.ASCII.GetBytes(content));
    }

    /// <summary>
    /// With its mark, and nothing in place but what refuses or what the restore itself put there. Where a true append-only file is, it was ended behind its last step; where
    /// <c>dump.rdb</c> is another file than the restore's, a server without an append-only file was started on it between the last two steps, and has written its own.
    /// </summary>
    private bool IsUnfinished => File.Exists(Mark) && !IsTrue(AofManifest) && !IsTrue(SingleAof) && (!IsTrue(Dump) || UnixFiles.AreOne(Dump, AofBase));

    private static bool IsTrue(string path)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        // A refusal that was cut short is none of a server's files either.
        Span<byte> beginning = stackalloc byte[Refusal.Length];
        using var file = File.OpenRead(path);
        var count = file.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false);
        return !System.Text.Encoding.ASCII.GetBytes(Refusal).AsSpan().StartsWith(beginning[..count]);
    }

    private void Clear()
    {
        string[] kept = [Mark, Dump, SingleAof, AofDirectory, AofManifest];
        foreach (var entry in Contents().Concat(Directory.EnumerateFileSystemEntries(AofDirectory)).Except(kept).ToList())
        {
            if (Directory.Exists(entry) && new DirectoryInfo(entry).LinkTarget is null)
            {
                Directory.Delete(entry, recursive: true);
            }
            else
            {
                File.Delete(entry);
            }
        }
    }

    /// <summary>A fresh volume's lost+found is nobody's data.</summary>
    private IEnumerable<string> Contents() =>
        Directory.EnumerateFileSystemEntries(Path).Where(entry => System.IO.Path.GetFileName(entry) != "lost+found");

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
