using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Storage.Directories;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Storage.S3;

namespace NLDS.BackupAgent.Storage;

/// <summary>Opens the store that the settings describe, with retries round it.</summary>
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
        return new RetryingObjectStore(store, options.Retry, new StorageMetrics(meters), loggers.CreateLogger<RetryingObjectStore>(), time);
    }
}
