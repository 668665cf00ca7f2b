using System.Globalization;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Output;

/// <summary>One line about work under way: how much, how fast, how long still.</summary>
internal static class ProgressLine
{
    public static string Of(TransferProgress progress, TimeSpan elapsed)
    {
        var rate = elapsed > TimeSpan.Zero ? progress.BytesDone / elapsed.TotalSeconds : 0;
        var text = $"{progress.Phase}: {Sizes.Bytes(progress.BytesDone)}";
        if (progress.BytesTotal is { } total and > 0)
        {
            var share = Math.Min(100, 100.0 * progress.BytesDone / total);
            text += string.Create(CultureInfo.InvariantCulture, $" of {Sizes.Bytes(total)} ({share:0} %)");
        }

        text += $", {Sizes.Bytes(rate)}/s";
        if (progress.BytesTotal is { } end && rate > 0 && end >= progress.BytesDone)
        {
            text += $", {Sizes.Duration(TimeSpan.FromSeconds((end - progress.BytesDone) / rate))} left";
        }

        return text;
    }
}
