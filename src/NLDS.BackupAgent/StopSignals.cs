using System.Runtime.InteropServices;

namespace NLDS.BackupAgent;

/// <summary>
/// Turns the first request to stop into a cancellation, so that work ends in order; the second one ends the process. <c>wal-fetch</c> does without:
/// PostgreSQL wants to see that its command died of the signal.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource stop;
    private readonly PosixSignalRegistration[] registrations;

    private StopSignals(CancellationTokenSource stop)
    {
        this.stop = stop;
        registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, Stop),
        ];
    }

    public static StopSignals Cancelling(CancellationTokenSource stop) => new(stop);

    public void Dispose()
    {
        foreach (var registration in registrations)
        {
            registration.Dispose();
        }
    }

    private void Stop(PosixSignalContext signal)
    {
        signal.Cancel = !stop.IsCancellationRequested;
        stop.Cancel();
    }
}
