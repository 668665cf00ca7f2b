using System.Diagnostics.Metrics;

namespace NLDS.BackupAgent.Storage;

/// <summary>How often the store was asked, how often it had to be asked again, and how long it had to be left alone.</summary>
internal sealed class StorageMetrics : IDisposable
{
    public const string MeterName = "NLDS.BackupAgent";

    private readonly Meter meter;
    private readonly bool ownsMeter;
    private readonly Counter<long> requests;
    private readonly Counter<long> retries;
    private readonly Counter<double> held;

    /// <param name="meters">Null where nobody reads the figures, as in a command that ends at once.</param>
    public StorageMetrics(IMeterFactory? meters)
    {
        ownsMeter = meters is null;
        meter = meters?.Create(MeterName) ?? new Meter(MeterName);
        requests = meter.CreateCounter<long>("backup_store_requests", description: "Calls to the object store, by operation and outcome.");
        retries = meter.CreateCounter<long>("backup_store_retries", description: "Tries that failed and were made again, by operation.");
        held = meter.CreateCounter<double>(
            "backup_store_throttled_seconds", description: "Time that transfers were held back by Storage:Limits, by direction.");
    }

    public void Asked(string operation, bool succeeded) =>
        requests.Add(1, new("operation", operation), new("outcome", succeeded ? "ok" : "failed"));

    public void Retried(string operation) => retries.Add(1, new KeyValuePair<string, object?>("operation", operation));

    /// <param name="direction">upload or download</param>
    public void HeldBack(string direction, TimeSpan time) => held.Add(time.TotalSeconds, new KeyValuePair<string, object?>("direction", direction));

    /// <summary>A factory's meter is the factory's to dispose.</summary>
    public void Dispose()
    {
        if (ownsMeter)
        {
            meter.Dispose();
        }
    }
}
