using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace NLDS.BackupAgent.Storage.Resilience;

/// <summary>
/// The one place that tries again: a budget round exponential back-off with jitter round a time-out for each try. Only what may pass is tried again;
/// an absence, a permanent failure and the caller's own cancellation go straight up.
/// </summary>
internal sealed partial class RetryPolicy
{
    private static readonly ResiliencePropertyKey<StoreCall> CallKey = new("call");

    /// <summary>A span for each put and each part, with the tries inside.</summary>
    private static readonly ActivitySource Traces = new("NLDS.BackupAgent.Storage");

    private readonly ResiliencePipeline pipeline;
    private readonly RetryOptions options;
    private readonly string store;
    private readonly StorageMetrics metrics;
    private readonly ILogger logger;
    private readonly Action<long>? sentAgain;

    /// <param name="sentAgain">Told of the payload of each further try.</param>
    public RetryPolicy(
        string store, RetryOptions options, StorageMetrics metrics, ILogger logger, TimeProvider time, Action<long>? sentAgain = null)
    {
        this.store = store;
        this.options = options;
        this.metrics = metrics;
        this.logger = logger;
        this.sentAgain = sentAgain;
        pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddTimeout(Limit(options.TotalBudget))
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder()
                    .Handle<ObjectStoreException>(failure => !failure.IsPermanent)
                    .Handle<TimeoutRejectedException>(),

                // The budget is the bound; at the longest pause it allows a dozen tries.
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = options.BaseDelay,
                MaxDelay = options.MaxDelay,
                OnRetry = OnRetry,
            })
            .AddTimeout(Limit(options.AttemptTimeout))
            .Build();
    }

    /// <summary>
    /// Every kind of result takes the same way through the pipeline: for each it would be compiled anew at every start. A try has ended before the next one begins, so
    /// the result is that of the last.
    /// </summary>
    public async Task<T> RunAsync<T>(StoreCall call, Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
    {
        var result = default(T);
        await RunAsync(call, async token => { result = await attempt(token); }, cancellationToken);
        return result!;
    }

    public async Task RunAsync(StoreCall call, Func<CancellationToken, Task> attempt, CancellationToken cancellationToken)
    {
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        context.Properties.Set(CallKey, call);
        var succeeded = false;
        var began = metrics.Begin();
        using var span = call is { IsRequest: true, Bytes: > 0 } ? Traces.StartActivity("upload") : null;
        span?.SetTag("backup.object", call.Subject).SetTag("backup.operation", call.Operation).SetTag("backup.bytes", call.Bytes);
        try
        {
            await pipeline.ExecuteAsync(static (context, attempt) => new ValueTask(attempt(context.CancellationToken)), context, attempt);
            succeeded = true;
        }
        catch (ObjectNotFoundException)
        {
            succeeded = true;
            throw;
        }
        catch (TimeoutRejectedException spent)
        {
            throw new ObjectStoreException(
                $"The {call.Operation} of {call.Subject} in {store} did not succeed within {options.TotalBudget + call.TimeForBytes:c} "
                + $"(Storage:Retry:TotalBudget). Last failure: {Reason(call.LastFailure ?? spent)}",
                isPermanent: false,
                call.LastFailure ?? spent);
        }
        finally
        {
            if (call.IsRequest)
            {
                span?.SetStatus(succeeded ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
                metrics.Asked(call.Operation, succeeded, began);
            }

            ResilienceContextPool.Shared.Return(context);
        }
    }

    private static TimeoutStrategyOptions Limit(TimeSpan time) => new()
    {
        TimeoutGenerator = arguments => ValueTask.FromResult(time + CallOf(arguments.Context).TimeForBytes),
    };

    private static StoreCall CallOf(ResilienceContext context) => context.Properties.GetValue(CallKey, null!);

    private ValueTask OnRetry(OnRetryArguments<object> retry)
    {
        var call = CallOf(retry.Context);
        call.LastFailure = retry.Outcome.Exception;
        metrics.Retried(call.Operation);
        if (call.IsRequest && call.Bytes > 0)
        {
            sentAgain?.Invoke(call.Bytes);
        }

        LogRetry(call.Operation, call.Subject, store, retry.AttemptNumber + 1, retry.RetryDelay.TotalMilliseconds, Reason(retry.Outcome.Exception));
        return ValueTask.CompletedTask;
    }

    private static string Reason(Exception? failure) =>
        failure is TimeoutRejectedException { Timeout: var limit } ? $"no answer within {limit:c}." : failure?.Message ?? "unknown.";

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The {Operation} of {Subject} in {Store} failed (try {Attempt}), next try in {Delay:F0} ms: {Reason}")]
    private partial void LogRetry(string operation, string subject, string store, int attempt, double delay, string reason);
}
