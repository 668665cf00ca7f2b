using System.Collections.Concurrent;
using Npgsql;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

/// <summary>Writers that commit as fast as the server takes it, remember what was acknowledged and when, and come back after the server's crash.</summary>
internal sealed class WriteLoad : IAsyncDisposable
{
    private readonly PostgresServer server;
    private readonly CancellationTokenSource end = new();
    private readonly ConcurrentBag<Commit> acknowledged = [];
    private readonly Task[] writers;
    private readonly int payloadBytes;
    private int count;

    private WriteLoad(PostgresServer server, int writers, int payloadBytes)
    {
        this.server = server;
        this.payloadBytes = payloadBytes;
        this.writers = [.. Enumerable.Range(0, writers).Select(_ => Task.Run(WriteAsync))];
    }

    /// <param name="Lowest">The commit record lies at or behind this position.</param>
    /// <param name="At">When the client knew of it.</param>
    internal sealed record Commit(Lsn Lowest, DateTimeOffset At);

    public IReadOnlyCollection<Commit> Acknowledged => acknowledged;

    public int Count => Volatile.Read(ref count);

    public static async Task<WriteLoad> StartAsync(PostgresServer server, int writers = 3, int payloadBytes = 2000)
    {
        await server.ExecuteAsync("CREATE TABLE IF NOT EXISTS load (id bigint GENERATED ALWAYS AS IDENTITY, payload text)");
        return new WriteLoad(server, writers, payloadBytes);
    }

    public Task UntilMoreAsync(int commits)
    {
        var target = Count + commits;
        return Eventually.TrueAsync(() => Count >= target, $"{commits} more commits");
    }

    public async Task StopAsync()
    {
        await end.CancelAsync();
        await Task.WhenAll(writers);
    }

    /// <summary>No acknowledged commit that is older than the moment an agent claimed lies behind what the repository holds.</summary>
    public void ShouldBeHeld(DateTimeOffset? recoverableUntil, Lsn archiveEnd)
    {
        foreach (var commit in acknowledged.Where(c => c.At < recoverableUntil))
        {
            commit.Lowest.ShouldBeLessThan(archiveEnd, $"A commit acknowledged at {commit.At:O} is missing, and {recoverableUntil:O} was claimed.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        end.Dispose();
    }

    private async Task WriteAsync()
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                await using var connection = new NpgsqlConnection(server.ConnectionString);
                await connection.OpenAsync(end.Token);
                while (!end.IsCancellationRequested)
                {
                    await using var command = new NpgsqlCommand(
                        $"INSERT INTO load (payload) SELECT string_agg(md5(random()::text), '') FROM generate_series(1, {payloadBytes / 32}); "
                        + "SELECT pg_current_wal_insert_lsn()::text",
                        connection);
                    var lowest = Lsn.Parse((string)(await command.ExecuteScalarAsync(end.Token))!);
                    acknowledged.Add(new Commit(lowest, TimeProvider.System.GetUtcNow()));
                    Interlocked.Increment(ref count);
                }
            }
            catch (Exception lost) when (lost is NpgsqlException or OperationCanceledException or IOException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
            }
        }
    }
}
