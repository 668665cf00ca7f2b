using System.Globalization;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>How fast a server comes on, and how long that leaves, from what it says is left.</summary>
internal sealed class ReplayPace(TimeProvider clock)
{
    private (long Left, long At)? first;
    private (long Left, long At)? last;

    /// <summary>What was done since the first look, with its rate; null when it never told, or was done at once.</summary>
    public string? Total => Done is > 0 and var done && Seconds > 0 ? string.Create(CultureInfo.InvariantCulture, $"{done / MiB:F1} MiB in {Seconds:F1} s") : null;

    /// <summary>For behind a sentence: what is left, the rate, the time that leaves.</summary>
    public string Words => last is not { } now ? ""
        : Done is > 0 and var done && Seconds > 0
            ? string.Create(CultureInfo.InvariantCulture, $" {now.Left / MiB:F1} MiB are left, at {done / Seconds / MiB:F1} MiB/s: {now.Left / (done / Seconds):F0} s.")
            : string.Create(CultureInfo.InvariantCulture, $" {now.Left / MiB:F1} MiB are left.");

    private const double MiB = 1 << 20;

    private double Done => first is { } began && last is { } now ? began.Left - now.Left : 0;

    private double Seconds => first is { } began && last is { } now ? clock.GetElapsedTime(began.At, now.At).TotalSeconds : 0;

    public void Add(long? left)
    {
        if (left is { } bytes)
        {
            last = (bytes, clock.GetTimestamp());
            first ??= last;
        }
    }
}
