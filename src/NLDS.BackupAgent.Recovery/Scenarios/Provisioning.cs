using System.Diagnostics;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>The operator's own program that makes a new cluster: Recovery:Provision. Not by a shell, so that nothing in its arguments is more than an argument.</summary>
internal static class Provisioning
{
    private const int Words = 20;

    public static async Task RunAsync(IReadOnlyList<string> command, RunScope scope, CancellationToken cancellationToken)
    {
        var last = new Queue<string>();
        var gate = new Lock();
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false },
        };
        ChildEnvironment.WithoutSettings(process.StartInfo);
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception absent)
        {
            throw new SourceException($"'{command[0]}' of Recovery:Provision cannot be started: {absent.Message}.", isPermanent: true, absent);
        }

        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }

        if (process.ExitCode != 0)
        {
            throw new SourceException($"'{command[0]}' of Recovery:Provision ended with {process.ExitCode}: {string.Join(" | ", last)}", isPermanent: false);
        }

        void Hear(string? line)
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                return;
            }

            lock (gate)
            {
                last.Enqueue(line);
                if (last.Count > Words)
                {
                    last.Dequeue();
                }

                scope.Say($"    {line}");
            }
        }
    }
}
