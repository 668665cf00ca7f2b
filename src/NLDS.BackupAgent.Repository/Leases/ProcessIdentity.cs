using System.Globalization;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>One process of one boot of one machine. Process ids are used again; together with the time of its start one never is (proc(5)).</summary>
/// <param name="BootId">The machine's boot, <c>/proc/sys/kernel/random/boot_id</c>; empty where there is none.</param>
/// <param name="PidNamespace">Where the process id counts, as <c>/proc/self/ns/pid</c> links to; containers have their own.</param>
/// <param name="ProcessId">Its number there.</param>
/// <param name="StartTicks">When it was started, in clock ticks since boot: field 22 of <c>/proc/PID/stat</c>.</param>
public sealed record ProcessIdentity(string BootId, string PidNamespace, int ProcessId, ulong StartTicks)
{
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";
    private const string PidNamespaceLink = "/proc/self/ns/pid";

    public static ProcessIdentity OfThisProcess { get; } = Read();

    /// <summary>Whether the process lives; null when it cannot be known from here, because it runs elsewhere or this machine does not show its processes.</summary>
    public bool? IsAlive()
    {
        var here = OfThisProcess;
        if (here.BootId.Length == 0 || BootId != here.BootId || PidNamespace.Length == 0 || PidNamespace != here.PidNamespace)
        {
            return null;
        }

        // Where other users' processes are hidden (hidepid), the first process is too, and a process that cannot be seen is not one that is gone.
        return ReadStat("1") is null ? null : ReadStat(ProcessId.ToString(CultureInfo.InvariantCulture)) is { IsDead: false } stat && stat.StartTicks == StartTicks;
    }

    private static ProcessIdentity Read() => new(
        ReadOrEmpty(() => File.ReadAllText(BootIdFile).Trim()),
        ReadOrEmpty(() => new FileInfo(PidNamespaceLink).LinkTarget ?? ""),
        Environment.ProcessId,
        ReadStat("self")?.StartTicks ?? 0);

    private static string ReadOrEmpty(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (Exception hidden) when (hidden is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>Null when there is no such process, or none that is shown.</summary>
    private static (bool IsDead, ulong StartTicks)? ReadStat(string process)
    {
        var stat = ReadOrEmpty(() => File.ReadAllText($"/proc/{process}/stat"));

        // The name, in brackets, may hold anything, brackets too; behind it come the state and the numbers.
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        const int startTime = 22 - 3;
        return fields.Length > startTime && ulong.TryParse(fields[startTime], CultureInfo.InvariantCulture, out var ticks)
            ? (fields[0] is "Z" or "X" or "x", ticks)
            : null;
    }
}
