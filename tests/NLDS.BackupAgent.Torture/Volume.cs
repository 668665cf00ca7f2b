using System.ComponentModel;
using System.Globalization;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture;

/// <summary>A disk of its own, in memory, that can be full from one moment to the next: it is made as small as what lies on it.</summary>
internal sealed class Volume : IAsyncDisposable
{
    private const string Roomy = "size=4g";

    private readonly bool mounted;

    private Volume(string path, bool mounted)
    {
        Path = path;
        this.mounted = mounted;
    }

    public string Path { get; }

    /// <summary>Whether it can be filled: only root may mount one. Otherwise it is a directory like any other.</summary>
    public bool CanBeFull => mounted;

    /// <summary>A directory like any other, which is never full.</summary>
    public static Volume Plain(string path) => new(path, mounted: false);

    public static async Task<Volume> MountAsync(string path)
    {
        Directory.CreateDirectory(path);
        try
        {
            await ServerProcess.RunAsync("mount", ["-t", "tmpfs", "-o", $"{Roomy},mode=0755", "tmpfs", path], CancellationToken.None);
            return new Volume(path, mounted: true);
        }
        catch (Exception refused) when (refused is InvalidOperationException or Win32Exception)
        {
            return new Volume(path, mounted: false);
        }
    }

    /// <summary>Leaves about so much room.</summary>
    public async Task FillAsync(int bytes)
    {
        const int attempts = 10; // for when somebody writes in between: the kernel refuses a size that is smaller than what is there
        const int page = 4096;
        for (var attempt = 1; ; attempt++)
        {
            var drive = new DriveInfo(Path);
            var wanted = drive.TotalSize - drive.TotalFreeSpace + (bytes * (long)attempt) + page;
            try
            {
                await RemountAsync(string.Create(CultureInfo.InvariantCulture, $"size={wanted / page * page}"));
                return;
            }
            catch (InvalidOperationException) when (attempt < attempts)
            {
                // With more room, then.
            }
        }
    }

    public Task FreeAsync() => RemountAsync(Roomy);

    public async ValueTask DisposeAsync()
    {
        if (mounted)
        {
            await ServerProcess.RunAsync("umount", ["--lazy", Path], CancellationToken.None);
        }
    }

    private Task<string> RemountAsync(string size) => ServerProcess.RunAsync("mount", ["-o", $"remount,{size}", Path], CancellationToken.None);
}
