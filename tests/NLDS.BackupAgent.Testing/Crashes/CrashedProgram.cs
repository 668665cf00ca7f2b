using System.Diagnostics;

namespace NLDS.BackupAgent.Testing.Crashes;

/// <summary>How a program ended.</summary>
/// <param name="Code">Its exit code; 137 when it was killed.</param>
/// <param name="Calls">How many calls that change files it came to.</param>
/// <param name="KilledBefore">The call before which it was killed; null when it ended by itself.</param>
/// <param name="Output">All that it said.</param>
public sealed record ProgramEnd(int Code, int Calls, string? KilledBefore, string Output);

/// <summary>Runs a program that dies by SIGKILL just before the k-th call by which it would change a file.</summary>
public static class CrashedProgram
{
    /// <summary>No verb takes so long on what a test has.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <param name="killAt">The number of the call, from 1; <see cref="int.MaxValue"/> only counts.</param>
    /// <param name="start">The program, its arguments and its environment.</param>
    /// <param name="whileRunning">What is done with a program that does not end by itself, until the token says that it is gone; behind it the program is told to stop.</param>
    /// <param name="whenEnded">Ends what the program left running. Behind it no such process can change a file.</param>
    /// <param name="alsoCounts">Is given what to ask before calls of the program that the kernel does not tell of: they count too, and may not pass when the program is dead.</param>
    public static async Task<ProgramEnd> RunAsync(int killAt, ProcessStartInfo start, Func<CancellationToken, Task>? whileRunning = null, Func<Task>? whenEnded = null, Action<Func<string, bool>>? alsoCounts = null)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        var (process, gate) = Start(killAt, start, alsoCounts);
        using (process)
        using (gate)
        {
            using CancellationTokenSource limit = new(Limit, TimeProvider.System), gone = new();
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            var work = whileRunning is null ? Task.CompletedTask : StopBehindAsync(process, whileRunning, gone.Token);
            try
            {
                await process.WaitForExitAsync(limit.Token);
                await gone.CancelAsync();
                await work;
            }
            catch (OperationCanceledException) when (gone.IsCancellationRequested)
            {
                // It was killed before the work was done, or ended by itself, which its code says.
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                throw new InvalidOperationException($"'{string.Join(' ', start.ArgumentList)}' hangs: no end within {Limit}, behind {gate.Calls} calls.");
            }
            finally
            {
                await (whenEnded?.Invoke() ?? Task.CompletedTask);
            }

            return new ProgramEnd(process.ExitCode, gate.Calls, gate.KilledBefore, await error + await output);
        }
    }

    private static async Task StopBehindAsync(Process process, Func<CancellationToken, Task> work, CancellationToken gone)
    {
        try
        {
            await work(gone);
        }
        finally
        {
            if (!gone.IsCancellationRequested)
            {
                Signals.Send(process.Id, Signals.Terminate);
            }
        }
    }

    /// <summary>A filter is of one thread and of what that starts: so the program is started by a thread of its own, which then ends.</summary>
    private static (Process Process, FileCallGate Gate) Start(int killAt, ProcessStartInfo start, Action<Func<string, bool>>? alsoCounts)
    {
        Process? process = null;
        FileCallGate? gate = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                gate = new FileCallGate(FileCalls.FilterThisThread(), killAt);
                alsoCounts?.Invoke(gate.MayPass);
                process = Process.Start(start)!;
                gate.Guard(process.Id);
            }
            catch (Exception refused)
            {
                failure = refused;
            }
        });
        thread.Start();
        thread.Join();
        return failure is null ? (process!, gate!) : throw new InvalidOperationException($"{start.FileName} could not be started: {failure.Message}", failure);
    }
}
