using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Testing;

/// <summary>A data directory: how it is made and who uses it.</summary>
internal static class PostgresCluster
{
    public static async Task InitialiseAsync(string directory, PostgresServerOptions options)
    {
        await ServerCommand.RunAsync(
            PostgresBinaries.Tool(options.Major, "initdb"),
            [
                $"--pgdata={directory}", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
                $"--wal-segsize={options.WalSegmentMegabytes}", .. ChecksumArguments(options), .. options.InitdbArgs,
            ]);
        await File.AppendAllTextAsync(Path.Combine(directory, "postgresql.conf"), Settings(options));
        await File.WriteAllTextAsync(Path.Combine(directory, "pg_hba.conf"), HostBasedAuthentication(options));
        if (options.Certificates is { } certificates)
        {
            await certificates.InstallAsync(directory);
        }
    }

    /// <summary>Every PostgreSQL process has its data directory as its working directory, which tells the children of a killed postmaster.</summary>
    public static IEnumerable<int> ProcessesOf(string directory) => Directory.EnumerateDirectories("/proc")
        .Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0]) && WorkingDirectoryOf(path) == directory)
        .Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));

    /// <summary>PostgreSQL 18 turned checksums on by default.</summary>
    private static string[] ChecksumArguments(PostgresServerOptions options) => options switch
    {
        { DataChecksums: true } => ["--data-checksums"],
        { Major: >= 18 } => ["--no-data-checksums"],
        _ => [],
    };

    private static string Settings(PostgresServerOptions options)
    {
        var text = new StringBuilder("\n");
        var settings = new Dictionary<string, string>
        {
            ["wal_level"] = "replica",
            ["max_wal_senders"] = "10",
            ["max_replication_slots"] = "10",
            ["max_connections"] = "20",
            ["shared_buffers"] = "32MB",
            ["log_min_messages"] = "info",
            ["log_replication_commands"] = "on",
            ["ssl"] = options.Certificates is null ? "off" : "on",
        };
        foreach (var (name, value) in options.ExtraSettings)
        {
            settings[name] = value;
        }

        foreach (var (name, value) in settings)
        {
            text.Append(name).Append(" = '").Append(value.Replace("'", "''", StringComparison.Ordinal)).Append("'\n");
        }

        return text.ToString();
    }

    private static string HostBasedAuthentication(PostgresServerOptions options)
    {
        var overSocket = options.AuthMethod == "cert" ? "scram-sha-256" : options.AuthMethod;
        return $"""
            local all,replication postgres trust
            host all,replication postgres 127.0.0.1/32 trust
            local all,replication {PostgresServer.BackupRole} {overSocket}
            {options.HostKind} all,replication {PostgresServer.BackupRole} 127.0.0.1/32 {options.AuthMethod}

            """;
    }

    private static string? WorkingDirectoryOf(string processPath)
    {
        try
        {
            return Directory.ResolveLinkTarget(Path.Combine(processPath, "cwd"), returnFinalTarget: false)?.FullName;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null; // it ended while we looked, or is somebody else's
        }
    }
}
