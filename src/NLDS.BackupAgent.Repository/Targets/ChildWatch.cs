using System.Diagnostics;

namespace NLDS.BackupAgent.Repository.Targets;

/// <summary>
/// Ends a server that this process has started for itself when this process is killed: a shell waits for the end of its input, which is this process's end. Otherwise the
/// server would live on with a copy of the data in memory.
/// </summary>
public sealed class ChildWatch : IDisposable
{
    private readonly Process shell;

    private ChildWatch(Process shell) => this.shell = shell;

    /// <summary>Ends with this process.</summary>
    internal Stream Input => shell.StandardInput.BaseStream;

    /// <param name="child">A server that is this process's own.</param>
    public static ChildWatch Over(Process child)
    {
        // 'read' is the shell's own, so that there is nothing to end but the shell. Its words are nobody's business.
        var start = new ProcessStartInfo("sh", ["-c", "read _; kill -9 \"$0\" 2>/dev/null", $"{child.Id}"]) { RedirectStandardInput = true, WorkingDirectory = "/" };
        ChildEnvironment.Clear(start);
        return new ChildWatch(Process.Start(start)!);
    }

    /// <summary>The server is left alone from here on: after it has ended, as another process may be given its number.</summary>
    public void Dispose()
    {
        shell.Kill();
        shell.WaitForExit();
        shell.Dispose();
    }
}
