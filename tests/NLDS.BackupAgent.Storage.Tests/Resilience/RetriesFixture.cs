using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Storage.Tests.Resilience;

/// <summary>A patient store over a faulty one over memory, on a clock that only the test moves.</summary>
internal sealed class RetriesFixture : IDisposable
{
    private readonly MeterListener listener = new();
    private readonly Lock gate = new();
    private readonly Dictionary<string, long> counts = [];

    public RetriesFixture()
    {
        Faulty = new FaultyObjectStore(Memory);
        var meter = new Meter(StorageMetrics.MeterName);
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (instrument.Meter == meter)
            {
                listening.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>(Count);
        listener.Start();
        Store = new RetryingObjectStore(
            Faulty, Options, new StorageMetrics(new OneMeter(meter)), NullLogger<RetryingObjectStore>.Instance, Clock);
    }

    public ManualClock Clock { get; } = new();

    public MemoryObjectStore Memory { get; } = new();

    public FaultyObjectStore Faulty { get; }

    public RetryOptions Options { get; } = new();

    public IObjectStore Store { get; }

    /// <summary>Lets all pauses between tries pass.</summary>
    public Task<T> PassAsync<T>(Task<T> call) => Clock.PassUntilAsync(call, Options.MaxDelay);

    public async Task PassAsync(Task call) => await PassAsync(call.ContinueWith(
        async ended => { await ended; return true; }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).Unwrap());

    public long Counted(string instrument, string operation)
    {
        lock (gate)
        {
            return counts.GetValueOrDefault($"{instrument} {operation}");
        }
    }

    public void Dispose()
    {
        (Store as IDisposable)?.Dispose();
        listener.Dispose();
    }

    private void Count(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        lock (gate)
        {
            var name = $"{instrument.Name} {tags[0].Value}";
            counts[name] = counts.GetValueOrDefault(name) + value;
        }
    }

    private sealed class OneMeter(Meter meter) : IMeterFactory
    {
        public Meter Create(MeterOptions options) => meter;

        public void Dispose() => meter.Dispose();
    }
}
