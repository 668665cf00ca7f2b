using System.Diagnostics;
using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Testing;

/// <summary>
/// A server that a test started: ended by its own process id, and also when the tests themselves are killed, because a small shell
/// waits for the end of its input, which is this process's end.
/// </summary>
public sealed partial class ServerProcess : IAsyncDisposable
{
    private const int Stop = 19;
    private const int Continue = 18;

    private readonly Process process;
    private readonly Process watcher;

    private ServerProcess(Process process, Process watcher)
    {
        this.process = process;
        this.watcher = watcher;
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <param name="environment">Added to this process's own.</param>
    public static ServerProcess Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var process = Launch(program, arguments, environment, watch: false);
        var script = $"cat > /dev/null; kill -9 {process.Id} 2> /dev/null";
        return new ServerProcess(process, Launch("/bin/sh", ["-c", script], environment: null, watch: true));
    }

    /// <summary>Runs a tool to its end.</summary>
    /// <exception cref="InvalidOperationException">It failed; what it said is in the message.</exception>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        using var process = Launch(program, arguments, environment: null, watch: true);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0
                ? await output
                : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await error}{await output}");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    /// <summary>SIGSTOP: it keeps its connections and answers nothing. Returns when the last of its threads stands still.</summary>
    public void Pause()
    {
        Signal(Stop);
        var wait = default(SpinWait);
        while (Directory.EnumerateDirectories($"/proc/{process.Id}/task").Any(thread => !IsStopped(thread)))
        {
            wait.SpinOnce();
        }
    }

    public void Resume() => Signal(Continue);

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        watcher.Kill();
        await watcher.WaitForExitAsync();
        process.Dispose();
        watcher.Dispose();
    }

    /// <summary>The state follows the name, which is in parentheses and may hold anything (proc(5), /proc/pid/stat).</summary>
    private static bool IsStopped(string thread)
    {
        var stat = File.ReadAllText(Path.Combine(thread, "stat"));
        return stat[stat.LastIndexOf(')') + 2] == 'T';
    }

    private void Signal(int signal)
    {
        if (Kill(process.Id, signal) != 0)
        {
            throw new InvalidOperationException($"Signal {signal} did not reach process {process.Id}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    private static Process Launch(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment, bool watch)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = watch, RedirectStandardOutput = watch, RedirectStandardError = watch };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
