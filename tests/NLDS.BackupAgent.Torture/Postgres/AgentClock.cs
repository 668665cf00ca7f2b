using System.Globalization;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>The clock of the agent's machine, which can jump: libfaketime, where it is installed, tells the agent and its verbs another time than everybody else has.</summary>
internal sealed class AgentClock
{
    /// <summary>Where Debian and Fedora put it.</summary>
    private static readonly string[] Places = ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib64/faketime/libfaketime.so.1"];

    private readonly string file;
    private readonly string? library = Places.FirstOrDefault(File.Exists);

    /// <param name="file">What says how wrong the clock is.</param>
    public AgentClock(string file)
    {
        this.file = file;
        Set(TimeSpan.Zero);
    }

    public bool CanJump => library is not null;

    /// <summary>What the agent's processes are started with. Time that passes is not touched: only what time it is.</summary>
    public IReadOnlyDictionary<string, string> Settings => library is null ? new Dictionary<string, string>() : new Dictionary<string, string>
    {
        ["LD_PRELOAD"] = library,
        ["FAKETIME_TIMESTAMP_FILE"] = file,
        ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
        ["FAKETIME_CACHE_DURATION"] = "1",
    };

    /// <summary>From now on, within a second, it is so far from the true time.</summary>
    public void Set(TimeSpan wrong)
    {
        File.WriteAllText(file + ".new", string.Create(CultureInfo.InvariantCulture, $"{(wrong < TimeSpan.Zero ? "-" : "+")}{Math.Abs((long)wrong.TotalSeconds)}\n"));
        File.Move(file + ".new", file, overwrite: true);
    }
}
