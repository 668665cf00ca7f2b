using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>Puts a copy under load for a bounded time and measures how it answers.</summary>
internal static class LoadTest
{
    /// <summary>More than these are not remembered one by one; a million doubles are 8 MB.</summary>
    private const int MostMeasured = 1_000_000;

    public static async Task<LoadResult> RunAsync(IRehearsal copy, LoadTestOptions options, string? statement, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.Duration, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var began = clock.GetTimestamp();
        var pause = options.RatePerSecond > 0 ? TimeSpan.FromSeconds(options.Clients / options.RatePerSecond) : TimeSpan.Zero;
        var clients = await Task.WhenAll(Enumerable.Range(0, options.Clients).Select(
            number => Task.Run(() => ClientAsync(copy, statement, pause, MostMeasured / options.Clients, clock, either.Token, cancellationToken), CancellationToken.None)));
        var elapsed = clock.GetElapsedTime(began).TotalSeconds;
        double[] latencies = [.. clients.SelectMany(client => client.Latencies).Order()];
        var requests = clients.Sum(client => client.Requests);
        return new LoadResult(
            options.Clients,
            elapsed,
            requests,
            clients.Sum(client => client.Failures),
            requests / elapsed,
            At(latencies, 0.5),
            At(latencies, 0.95),
            At(latencies, 0.99),
            latencies.Length > 0 ? latencies[^1] : 0,
            options.Percentile95.TotalMilliseconds,
            clients.Select(client => client.FirstFailure).FirstOrDefault(failure => failure is not null));
    }

    private static async Task<Measured> ClientAsync(
        IRehearsal copy, string? statement, TimeSpan pause, int most, TimeProvider clock, CancellationToken until, CancellationToken cancellationToken)
    {
        var measured = new Measured();
        await using var client = await copy.ConnectAsync(statement, cancellationToken);
        var next = clock.GetUtcNow();
        while (!until.IsCancellationRequested)
        {
            var began = clock.GetTimestamp();
            try
            {
                await client.DoAsync(until);
                measured.Requests++;
                if (measured.Latencies.Count < most)
                {
                    measured.Latencies.Add(clock.GetElapsedTime(began).TotalMilliseconds);
                }
            }
            catch (Exception) when (until.IsCancellationRequested)
            {
                break;
            }
            catch (Exception failure) when (failure is not OperationCanceledException)
            {
                // A connection that broke answers nothing any more.
                measured.Failures++;
                measured.FirstFailure = failure.Message;
                break;
            }

            next += pause;
            if (pause > TimeSpan.Zero && next - clock.GetUtcNow() is { } wait && wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, clock, until).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        return measured;
    }

    /// <summary>The value that this part of all lies at or below.</summary>
    internal static double At(double[] ascending, double part) =>
        ascending.Length == 0 ? 0 : ascending[Math.Clamp((int)Math.Ceiling(part * ascending.Length) - 1, 0, ascending.Length - 1)];

    private sealed class Measured
    {
        public long Requests { get; set; }

        public long Failures { get; set; }

        public string? FirstFailure { get; set; }

        public List<double> Latencies { get; } = [];
    }
}
