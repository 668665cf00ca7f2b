namespace NLDS.BackupAgent.Storage;

/// <summary>The section <c>Storage:Limits</c>: how much of the line to the store, and of this machine, transfers may take.</summary>
public sealed class LimitsOptions
{
    public const int DefaultParallelUploads = 2;

    /// <summary>Enough to fill a link of some ms latency, few enough for a small pod.</summary>
    public const int DefaultParallelDownloads = 4;

    /// <summary>Below this a part of 5 MiB takes minutes, and the log of a busy database never catches up.</summary>
    private const long SlowestBytesPerSecond = 64 << 10;

    /// <summary>Four objects transferred at once then fill the 64 connections that the agent opens to a store.</summary>
    private const int MaximumParallel = 16;

    /// <summary>Ceiling of all uploads of this process together; none when not set.</summary>
    public long? UploadBytesPerSecond { get; set; }

    /// <summary>Ceiling of all downloads of this process together; none when not set.</summary>
    public long? DownloadBytesPerSecond { get; set; }

    /// <summary>Parts of one object that are on their way at once, each in memory.</summary>
    public int ParallelUploads { get; set; } = DefaultParallelUploads;

    /// <summary>Ranges of one object that are fetched at once, each in memory.</summary>
    public int ParallelDownloads { get; set; } = DefaultParallelDownloads;

    internal IEnumerable<string> Faults() =>
        CeilingFaults(nameof(UploadBytesPerSecond), UploadBytesPerSecond)
            .Concat(CeilingFaults(nameof(DownloadBytesPerSecond), DownloadBytesPerSecond))
            .Concat(ParallelFaults(nameof(ParallelUploads), ParallelUploads))
            .Concat(ParallelFaults(nameof(ParallelDownloads), ParallelDownloads));

    private static IEnumerable<string> CeilingFaults(string key, long? bytesPerSecond)
    {
        if (bytesPerSecond < SlowestBytesPerSecond)
        {
            yield return $"Storage:Limits:{key} is {bytesPerSecond}. Set at least {SlowestBytesPerSecond}, or remove it for no limit.";
        }
    }

    private static IEnumerable<string> ParallelFaults(string key, int parallel)
    {
        if (parallel is < 1 or > MaximumParallel)
        {
            yield return $"Storage:Limits:{key} is {parallel}. Set 1 to {MaximumParallel}.";
        }
    }
}
