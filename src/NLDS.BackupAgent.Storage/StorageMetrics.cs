using System.Diagnostics.Metrics;

namespace NLDS.BackupAgent.Storage;

/// <summary>How often the store was asked, how often it had to be asked again, and how long it had to be left alone.</summary>
internal sealed class StorageMetrics : IDisposable
{
    public const string MeterName = "NLDS.BackupAgent";

    /// <summary>From an answer out of the same rack to a large part over a slow line with several tries.</summary>
    private static readonly InstrumentAdvice<double> DurationBuckets = new() { HistogramBucketBoundaries = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 120] };

    private readonly Meter meter;
    private readonly bool ownsMeter;
    private readonly Counter<long> requests;
    private readonly Counter<long> retries;
    private readonly Counter<double> held;
    private readonly Histogram<double> durations;
    private readonly TimeProvider time;
    private long answered;

    /// <param name="meters">Null where nobody reads the figures, as in a command that ends at once.</param>
    /// <param name="time">The clock of the moment of the last answer; the system's unless said.</param>
    public StorageMetrics(IMeterFactory? meters, TimeProvider? time = null)
    {
        this.time = time ?? TimeProvider.System;
        ownsMeter = meters is null;
        meter = meters?.Create(MeterName) ?? new Meter(MeterName);
        requests = meter.CreateCounter<long>("backup_store_requests_total", description: "Calls to the object store, by operation and outcome.");
        retries = meter.CreateCounter<long>("backup_store_retries_total", description: "Tries that failed and were made again, by operation.");
        held = meter.CreateCounter<double>(
            "backup_store_throttled_seconds_total", description: "Time that transfers were held back by Storage:Limits, by direction.");
        durations = meter.CreateHistogram("backup_store_request_seconds", null, "How long calls to the object store took, retries included, by operation.", null, DurationBuckets);
        meter.CreateObservableGauge("backup_store_last_answer_timestamp", LastAnswer, description: "Unix time of the store's newest answer; absent before the first.");
    }

    /// <summary>Taken before a call, for <see cref="Asked"/>.</summary>
    public long Begin() => time.GetTimestamp();

    /// <param name="operation">What was asked.</param>
    /// <param name="succeeded">The store answered; that it has no such object is an answer.</param>
    /// <param name="began">What <see cref="Begin"/> gave.</param>
    public void Asked(string operation, bool succeeded, long began)
    {
        requests.Add(1, new("operation", operation), new("outcome", succeeded ? "ok" : "failed"));
        durations.Record(time.GetElapsedTime(began).TotalSeconds, new KeyValuePair<string, object?>("operation", operation));
        if (succeeded)
        {
            Volatile.Write(ref answered, time.GetUtcNow().ToUnixTimeMilliseconds());
        }
    }

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

    private IEnumerable<Measurement<double>> LastAnswer() =>
        Volatile.Read(ref answered) is > 0 and var milliseconds ? [new Measurement<double>(milliseconds / 1000.0)] : [];
}
