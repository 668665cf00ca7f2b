using System.Diagnostics;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture;

/// <summary>The agent as its users run it: a process that can be killed, and its verbs.</summary>
/// <param name="program">The agent's own program.</param>
/// <param name="directory">Its working directory, where its log lies.</param>
/// <param name="settings">Its configuration, as environment variables.</param>
internal sealed class AgentProcess(string program, string directory, IReadOnlyDictionary<string, string> settings) : IAsyncDisposable
{
    /// <summary>No verb takes so long on what a run writes, on the busiest machine.</summary>
    private static readonly TimeSpan VerbLimit = TimeSpan.FromMinutes(5);

    private ServerProcess? running;

    public bool IsRunning => running is { HasExited: false };

    private string Log => Path.Combine(directory, "agent.log");

    /// <summary>The shell becomes the agent, so that the id is the agent's own.</summary>
    public void Start() => running = ServerProcess.Start("/bin/sh", ["-c", "exec \"$0\" run >> \"$1\" 2>&1", program, Log], settings);

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (running is { } process)
        {
            running = null;
            await process.DisposeAsync();
        }
    }

    /// <summary>Runs a verb to its end.</summary>
    /// <exception cref="TortureException">It failed; what it said is in the message.</exception>
    public async Task<string> RunAsync(params string[] words)
    {
        var start = new ProcessStartInfo(program, words) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(VerbLimit, TimeProvider.System);
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
            await process.WaitForExitAsync(limit.Token);
            return process.ExitCode == 0
                ? await output
                : throw new TortureException($"'{string.Join(' ', words)}' ended with {process.ExitCode}: {await error}{await output}");
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TortureException($"'{string.Join(' ', words)}' was still running after {VerbLimit.TotalMinutes} minutes.");
        }
    }

    public string LastWords() => File.Exists(Log) ? string.Join('\n', File.ReadLines(Log).TakeLast(10)) : "The agent wrote no log.";

    public async ValueTask DisposeAsync() => await KillAsync();
}
