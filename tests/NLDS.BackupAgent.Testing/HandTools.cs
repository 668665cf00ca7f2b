using System.Diagnostics;

namespace NLDS.BackupAgent.Testing;

/// <summary>The tools that a person has on the day that this program is not there.</summary>
public static class HandTools
{
    /// <summary>Runs a line of shell in a directory and returns what it wrote.</summary>
    public static async Task<byte[]> RunAsync(string directory, string line)
    {
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-ec", line])
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = shell.StandardError.ReadToEndAsync();
        using var output = new MemoryStream();
        await shell.StandardOutput.BaseStream.CopyToAsync(output);
        await shell.WaitForExitAsync();
        return shell.ExitCode == 0
            ? output.ToArray()
            : throw new InvalidOperationException($"'{line}' ended with {shell.ExitCode}: {await errors}");
    }
}
