using System.Globalization;

namespace NLDS.BackupAgent.Torture;

/// <summary>What the agent's process uses, between troubles: looked at in /proc, and compared over the life of each process.</summary>
internal sealed class AgentGauge(TortureReport report)
{
    /// <summary>The first looks at a process see it warm up: its pools of connections and buffers fill.</summary>
    private const int WarmUp = 3;

    private readonly Dictionary<int, List<AgentLook>> looks = [];

    public void Look(int process)
    {
        var status = File.ReadLines($"/proc/{process}/status").Select(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ToList();
        long Number(string name) => long.Parse(status.First(words => words[0] == name)[1], CultureInfo.InvariantCulture);
        Add(process, new AgentLook(Number("VmRSS:") / 1024, Number("RssAnon:") / 1024, Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Count(), Number("Threads:")));
    }

    public void Add(int process, AgentLook look)
    {
        looks.TryAdd(process, []);
        looks[process].Add(look);
        report.AtMost("MiB of memory, the agent's most", look.Memory);
        report.AtMost("file handles, the agent's most", look.Handles);
    }

    /// <summary>Says what the process that lived longest used when it was warm, the most of its first looks, and at its last look.</summary>
    /// <returns>How many file handles it had more then, and how often it was looked at.</returns>
    public (long Handles, int Looks) ReportTheOldest()
    {
        var oldest = looks.Values.MaxBy(all => all.Count) ?? [];
        report.Count("rounds of the agent that lived longest", oldest.Count);
        if (oldest.Count <= WarmUp)
        {
            return (0, oldest.Count);
        }

        Report("MiB of memory, of the agent that lived longest", oldest, look => look.Memory);
        Report("MiB of anonymous memory, of the agent that lived longest", oldest, look => look.Anonymous);
        Report("threads, of the agent that lived longest", oldest, look => look.Threads);
        return (Report("file handles, of the agent that lived longest", oldest, look => look.Handles), oldest.Count);
    }

    private long Report(string what, List<AgentLook> oldest, Func<AgentLook, long> of)
    {
        var (begin, end) = (oldest.Take(WarmUp).Max(of), of(oldest[^1]));
        report.FromTo(what, begin, end);
        return end - begin;
    }
}

/// <summary>Of one process at one moment, memory in MiB.</summary>
internal readonly record struct AgentLook(long Memory, long Anonymous, long Handles, long Threads);
