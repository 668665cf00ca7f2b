using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Storage.Directories;
using NLDS.BackupAgent.Storage.Limits;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Storage.S3;

namespace NLDS.BackupAgent.Storage;

/// <summary>Opens the store that the settings describe, with retries and limits round it.</summary>
public static class ObjectStores
{
    /// <summary>
    /// Connects to nothing yet: what is wrong with the store, its first use says. Retries, time-outs and the logging of both are inside.
    /// </summary>
    /// <exception cref="ArgumentException">The settings are wrong; all faults are listed.</exception>
    public static IObjectStore Open(StorageOptions options, ILoggerFactory loggers, IMeterFactory? meters, TimeProvider time)
    {
        var faults = options.Faults().ToList();
        if (faults.Count > 0)
        {
            throw new ArgumentException(string.Join(Environment.NewLine, faults), nameof(options));
        }

        IObjectStore store = options.Provider switch
        {
            StorageProvider.S3 => new S3ObjectStore(options.S3, credentials: null, time, loggers.CreateLogger<S3ObjectStore>()),
            _ => new DirectoryObjectStore(options.Directory.Path!, time, loggers.CreateLogger<DirectoryObjectStore>()),
        };
        var metrics = new StorageMetrics(meters, time);
        var uploads = Limit("upload", options.Limits.UploadBytesPerSecond, metrics, time);
        var downloads = Limit("download", options.Limits.DownloadBytesPerSecond, metrics, time);
        var retrying = new RetryingObjectStore(
            store, options.Retry, metrics, loggers.CreateLogger<RetryingObjectStore>(), time, sentAgain: bytes => uploads?.Charge(bytes));
        var limited = new LimitedObjectStore(retrying, options.Limits, uploads, downloads);
        return options.ReadOnly ? new ReadOnlyObjectStore(limited) : limited;
    }

    private static BandwidthLimit? Limit(string direction, long? bytesPerSecond, StorageMetrics metrics, TimeProvider time) =>
        bytesPerSecond is { } ceiling ? new BandwidthLimit(ceiling, waited => metrics.HeldBack(direction, waited), time) : null;
}
