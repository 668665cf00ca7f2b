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

    /// <summary>What .NET says of a process that SIGKILL ended.</summary>
    private const int Killed = 128 + 9;

    private ServerProcess? running;

    public bool IsRunning => running is { HasExited: false };

    /// <summary>Of the running one.</summary>
    public int ProcessId => running?.Id ?? throw new InvalidOperationException("The agent does not run.");

    private string Log => Path.Combine(directory, "agent.log");

    /// <summary>Unless it runs. The shell becomes the agent, so that the id is the agent's own.</summary>
    /// <param name="words">What stands behind <c>run</c>.</param>
    public void Start(params string[] words) =>
        running = IsRunning ? running : ServerProcess.Start("/bin/sh", ["-c", "log=$0; exec \"$@\" >> \"$log\" 2>&1", Log, program, "run", .. words], settings);

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
        var (code, output, error) = await TryAsync(words);
        return code == 0 ? output : throw new TortureException($"'{string.Join(' ', words)}' ended with {code}: {error}{output}");
    }

    /// <summary>Begins a verb, and sends it SIGKILL unless it has ended by then.</summary>
    /// <returns>Whether it was killed.</returns>
    public async Task<bool> KillAsync(TimeSpan after, params string[] words)
    {
        using var process = Begin(words);
        var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(CancellationToken.None), process.StandardError.ReadToEndAsync(CancellationToken.None));
        await Task.WhenAny(process.WaitForExitAsync(CancellationToken.None), Task.Delay(after, TimeProvider.System, CancellationToken.None));
        process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
        await said;
        return process.ExitCode == Killed;
    }

    /// <summary>Runs a verb to its end, which may be a refusal.</summary>
    public async Task<(int Code, string Output, string Error)> TryAsync(params string[] words)
    {
        using var process = Begin(words);
        using var limit = new CancellationTokenSource(VerbLimit, TimeProvider.System);
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TortureException($"'{string.Join(' ', words)}' was still running after {VerbLimit.TotalMinutes} minutes.");
        }
    }

    private Process Begin(string[] words)
    {
        var start = new ProcessStartInfo(program, words) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    public string LastWords() => File.Exists(Log) ? string.Join('\n', File.ReadLines(Log).TakeLast(10)) : "The agent wrote no log.";

    public async ValueTask DisposeAsync() => await KillAsync();
}
