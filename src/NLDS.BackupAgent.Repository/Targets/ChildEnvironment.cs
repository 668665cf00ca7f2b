using System.Diagnostics;

namespace NLDS.BackupAgent.Repository.Targets;

/// <summary>What another program is given of this process's environment, in which the way to the store and the secrets of the servers may stand.</summary>
public static class ChildEnvironment
{
    /// <summary>Settings have two underscores in their names; these are secrets too.</summary>
    private static readonly string[] Secrets = ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "PGPASSWORD", "OTEL_EXPORTER_OTLP_HEADERS"];

    /// <summary>For a server or a tool that has no business of ours: the way to programs, and nothing else.</summary>
    public static void Clear(ProcessStartInfo start)
    {
        var path = start.Environment.TryGetValue("PATH", out var found) ? found : null;
        start.Environment.Clear();
        start.Environment["PATH"] = path ?? "/usr/bin:/bin:/usr/sbin:/sbin";
        start.Environment["LC_ALL"] = "C";
    }

    /// <summary>For a program of the operator's, which needs its own way to a cloud: everything but this program's settings.</summary>
    public static void WithoutSettings(ProcessStartInfo start)
    {
        foreach (var name in start.Environment.Keys.Where(name => name.Contains("__", StringComparison.Ordinal) || Secrets.Contains(name)).ToList())
        {
            start.Environment.Remove(name);
        }
    }
}
