using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Output;

/// <summary>Shows progress: on a terminal one line that rewrites itself, elsewhere a line every ten seconds.</summary>
internal sealed class ConsoleProgress(Surroundings around) : IProgress<TransferProgress>
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan InLog = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private string? phase;
    private long phaseBegan;
    private long lastShown;
    private TransferProgress last;
    private int lineLength;

    public void Report(TransferProgress value)
    {
        lock (gate)
        {
            var now = around.Time.GetTimestamp();
            if (value.Phase != phase)
            {
                EndLine();
                phase = value.Phase;
                phaseBegan = lastShown = now;
            }

            last = value;
            if (around.Time.GetElapsedTime(lastShown, now) >= (around.IsTerminal ? OnTerminal : InLog))
            {
                lastShown = now;
                Show(now);
            }
        }
    }

    /// <summary>Leaves the last state of a terminal's line standing.</summary>
    public void End()
    {
        lock (gate)
        {
            EndLine();
        }
    }

    private void Show(long now)
    {
        var line = ProgressLine.Of(last, around.Time.GetElapsedTime(phaseBegan, now));
        if (!around.IsTerminal)
        {
            around.Error.WriteLine(line);
            return;
        }

        around.Error.Write("\r" + line.PadRight(lineLength));
        lineLength = line.Length;
    }

    private void EndLine()
    {
        if (lineLength > 0)
        {
            Show(around.Time.GetTimestamp());
            around.Error.WriteLine();
            lineLength = 0;
        }
    }
}
