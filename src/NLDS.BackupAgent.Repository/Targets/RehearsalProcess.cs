using System.Diagnostics;

namespace NLDS.BackupAgent.Repository.Targets;

/// <summary>
/// A server of a rehearsal: run as the owner of its files where this process is root, cut off from every network where the kernel allows that, and killed when it is
/// disposed, or when this process is killed.
/// </summary>
public sealed class RehearsalProcess : IAsyncDisposable
{
    private const int LastLines = 4;

    private static readonly TimeSpan KillTime = TimeSpan.FromSeconds(10);

    private readonly Process process;
    private readonly ChildWatch watch;
    private readonly TimeProvider clock;
    private readonly string log;
    private bool isDisposed;

    private RehearsalProcess(Process process, string log, bool isCutOff, TimeProvider clock) =>
        (this.process, watch, this.log, IsCutOff, this.clock) = (process, ChildWatch.Over(process), log, isCutOff, clock);

    /// <summary>It has a network namespace of its own, with nothing in it.</summary>
    public bool IsCutOff { get; }

    public bool HasExited => isDisposed || process.HasExited;

    public int Id => process.Id;

    /// <param name="program">The server's program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="ownedLike">It runs as the owner of this directory, where this process is root.</param>
    /// <param name="log">A file for what it says.</param>
    /// <param name="clock">For how long its end may take.</param>
    /// <param name="cancellationToken">Before it is started.</param>
    public static async Task<RehearsalProcess> StartAsync(
        string program, IEnumerable<string> arguments, string ownedLike, string log, TimeProvider clock, CancellationToken cancellationToken)
    {
        var prefix = new List<string>();
        var isCutOff = UnixFiles.IsRoot && await RunsAsync("unshare", ["--net", "true"], cancellationToken);
        if (isCutOff)
        {
            prefix.AddRange(["unshare", "--net", "--"]);
        }

        if (UnixFiles.IsRoot && UnixFiles.Owner(ownedLike) is { User: not 0 } owner)
        {
            prefix.AddRange(["setpriv", $"--reuid={owner.User}", $"--regid={owner.Group}", "--clear-groups", "--"]);
        }

        // The shell redirects and then becomes the program, so that its process is the server's. Nothing of this process's environment is the copy's business: it holds
        // the way to the store and to the original.
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", log, .. prefix, program, .. arguments]) { WorkingDirectory = "/" };
        ChildEnvironment.Clear(start);
        return new RehearsalProcess(Process.Start(start)!, log, isCutOff, clock);
    }

    /// <summary>The last lines that it wrote, for messages.</summary>
    public string LastWords() => File.Exists(log) ? string.Join(" / ", File.ReadLines(log).TakeLast(LastLines)) : "it wrote nothing";

    /// <summary>Asks it to end with a signal, and waits.</summary>
    /// <returns>Its exit code, or null when it did not end in time.</returns>
    public Task<int?> StopAsync(int signal, TimeSpan limit, CancellationToken cancellationToken)
    {
        UnixFiles.Signal(process.Id, signal);
        return AwaitEndAsync(limit, cancellationToken);
    }

    /// <returns>Its exit code, or null when it did not end in time.</returns>
    public async Task<int?> AwaitEndAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        await process.WaitForExitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return process.HasExited ? process.ExitCode : null;
    }

    /// <summary>May be called more than once.</summary>
    public async ValueTask DisposeAsync()
    {
        if (isDisposed)
        {
            return;
        }

        isDisposed = true;
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
        }

        using var limit = new CancellationTokenSource(KillTime, clock);
        await process.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        watch.Dispose();
        process.Dispose();
    }

    private static async Task<bool> RunsAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
            ChildEnvironment.Clear(start);
            using var process = Process.Start(start)!;
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
