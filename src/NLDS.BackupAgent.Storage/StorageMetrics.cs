using System.Diagnostics.Metrics;

namespace NLDS.BackupAgent.Storage;

/// <summary>How often the store was asked and how often it had to be asked again.</summary>
internal sealed class StorageMetrics : IDisposable
{
    public const string MeterName = "NLDS.BackupAgent";

    private readonly Meter meter;
    private readonly bool ownsMeter;
    private readonly Counter<long> requests;
    private readonly Counter<long> retries;

    /// <param name="meters">Null where nobody reads the figures, as in a command that ends at once.</param>
    public StorageMetrics(IMeterFactory? meters)
    {
        ownsMeter = meters is null;
        meter = meters?.Create(MeterName) ?? new Meter(MeterName);
        requests = meter.CreateCounter<long>("backup_store_requests", description: "Calls to the object store, by operation and outcome.");
        retries = meter.CreateCounter<long>("backup_store_retries", description: "Tries that failed and were made again, by operation.");
    }

    public void Asked(string operation, bool succeeded) =>
        requests.Add(1, new("operation", operation), new("outcome", succeeded ? "ok" : "failed"));

    public void Retried(string operation) => retries.Add(1, new KeyValuePair<string, object?>("operation", operation));

    /// <summary>A factory's meter is the factory's to dispose.</summary>
    public void Dispose()
    {
        if (ownsMeter)
        {
            meter.Dispose();
        }
    }
}
