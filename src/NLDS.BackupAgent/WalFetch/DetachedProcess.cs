using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// A process of this program that outlives its parent. It must not keep anything of PostgreSQL's: the server's log collector ends only when the last holder of
/// its pipe has, and the server's signals go to whole process groups.
/// </summary>
internal static partial class DetachedProcess
{
    /// <summary>Starts this program with other arguments. Its input and outputs are pipes to this process, which end with it.</summary>
    public static void Start(IReadOnlyList<string> arguments)
    {
        var program = Environment.ProcessPath ?? throw new InvalidOperationException("The program does not know where it is.");
        string[] library = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Assembly.GetEntryAssembly()!.Location] : [];
        using var process = Process.Start(new ProcessStartInfo(program, [.. library, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        });
    }

    /// <summary>Leaves the parent's session and process group (setsid(2)). Called by the started process, which leads no group, so it cannot fail.</summary>
    public static void LeaveSession() => _ = SetSession();

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int SetSession();
}
