using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;

namespace NLDS.BackupAgent.Deployment.Tests.Security;

/// <summary>Looks again and again at the processes that come from an agent, and keeps their command lines and environments (proc(5)).</summary>
internal sealed class ChildWatch : IAsyncDisposable
{
    private readonly Evidence evidence;
    private readonly ConcurrentDictionary<int, bool> agents = new();
    private readonly ConcurrentDictionary<string, bool> seen = new();
    private readonly HashSet<string> kept = [];
    private readonly CancellationTokenSource stopping = new();
    private readonly Task watching;

    public ChildWatch(Evidence evidence)
    {
        this.evidence = evidence;
        watching = Task.Run(WatchAsync);
    }

    /// <summary>The programs that were seen.</summary>
    public IEnumerable<string> Programs => seen.Keys;

    public void Add(int agent) => agents[agent] = true;

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await watching;
        stopping.Dispose();
    }

    private async Task WatchAsync()
    {
        using var often = new PeriodicTimer(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        while (!stopping.IsCancellationRequested)
        {
            Look();
            await ((Task)often.WaitForNextTickAsync(stopping.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Look()
    {
        var parents = new Dictionary<int, int>();
        foreach (var path in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && ParentOf(path) is { } parent)
            {
                parents[id] = parent;
            }
        }

        foreach (var id in parents.Keys.Where(id => !agents.ContainsKey(id) && IsOfAgent(id, parents)))
        {
            Keep(id);
        }
    }

    private bool IsOfAgent(int id, Dictionary<int, int> parents)
    {
        for (var depth = 0; depth < 16 && parents.TryGetValue(id, out id); depth++)
        {
            if (agents.ContainsKey(id))
            {
                return true;
            }
        }

        return false;
    }

    private void Keep(int id)
    {
        try
        {
            // Between fork and exec a process still is its parent.
            var program = new FileInfo($"/proc/{id}/exe").LinkTarget ?? "";
            if (program.EndsWith("NLDS.BackupAgent", StringComparison.Ordinal))
            {
                return;
            }

            var (line, environment) = (File.ReadAllBytes($"/proc/{id}/cmdline"), File.ReadAllBytes($"/proc/{id}/environ"));
            seen[Path.GetFileName(program)] = true;
            if (!kept.Add(Convert.ToHexString(SHA256.HashData([.. line, .. environment]))))
            {
                return;
            }

            evidence.Add($"the command line of {program}", line);
            evidence.Add($"the environment of {program}", environment);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            // It ended.
        }
    }

    private static int? ParentOf(string path)
    {
        try
        {
            var stat = File.ReadAllText(Path.Combine(path, "stat"));
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
