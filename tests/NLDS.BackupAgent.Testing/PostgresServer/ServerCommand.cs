using System.Diagnostics;

namespace NLDS.BackupAgent.Testing;

/// <summary>Runs PostgreSQL's programs as the user postgres when the tests run as root, which PostgreSQL refuses.</summary>
internal static class ServerCommand
{
    private static readonly string[] AsPostgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];

    /// <summary>A program that stays, with its output appended to a file.</summary>
    public static Process Start(string logPath, string program, params IEnumerable<string> arguments)
    {
        // The shell redirects and then becomes the program, so that its process is the server's.
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", logPath, .. Prefixed(program, arguments)]);
        start.WorkingDirectory = "/";
        return Process.Start(start)!;
    }

    /// <summary>A program that ends, and well.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has its output.</exception>
    public static Task<string> RunAsync(string program, params IEnumerable<string> arguments) => RunExactlyAsync(Prefixed(program, arguments));

    /// <summary>The same as whoever runs the tests.</summary>
    public static async Task<string> RunExactlyAsync(params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}: {await output}{await errors}");
    }

    /// <summary>A directory that the server may use as its own.</summary>
    public static async Task GiveToServerAsync(string directory)
    {
        Directory.CreateDirectory(directory);
        if (Environment.IsPrivilegedProcess)
        {
            await RunExactlyAsync("chown", "-R", "postgres:postgres", directory);
        }

        await RunExactlyAsync("chmod", "0700", directory);
    }

    /// <summary>Lets the server pass through the closed temporary directories that lead to its own.</summary>
    public static async Task OpenPathAsync(string directory)
    {
        var root = Path.TrimEndingDirectorySeparator(Path.GetTempPath());
        for (var parent = Path.GetDirectoryName(directory); parent is not null && parent.StartsWith(root + '/', StringComparison.Ordinal); parent = Path.GetDirectoryName(parent))
        {
            await RunExactlyAsync("chmod", "o+x", parent);
        }
    }

    private static string[] Prefixed(string program, IEnumerable<string> arguments) =>
        Environment.IsPrivilegedProcess ? [.. AsPostgres, program, .. arguments] : [program, .. arguments];
}
