using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Torture.Redis;

/// <summary>
/// The one client that writes to the checked databases: an operation, what it made of the keys that it touched, and now and then WAIT. Goes on over every restart of the
/// server, with whatever the server has then.
/// </summary>
internal sealed class Writer(int port, int seed, History history, TortureReport report)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan BetweenMoments = TimeSpan.FromSeconds(2);

    private readonly Random random = new(seed);
    private long lastMoment;

    /// <summary>Set before a server is started, when the one before is gone.</summary>
    public ServerLife Life { get; set; } = new(1, KeepsAll: true);

    /// <summary>Writes until <paramref name="stopping"/> is signalled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await WriteAsync(stopping);
            }
            catch (Exception lost) when (lost is ConnectionLostException or RedisErrorException { Code: "LOADING" })
            {
                await Task.Delay(Pause, TimeProvider.System, CancellationToken.None);
            }
        }
    }

    private async Task WriteAsync(CancellationToken stopping)
    {
        var life = Life;
        var options = new RedisOptions { Host = "127.0.0.1", Port = port };
        await using var connection = await RedisConnection.OpenAsync(options, options.Address, TimeProvider.System, CancellationToken.None);
        await BeginAsync(connection, life);
        while (!stopping.IsCancellationRequested)
        {
            for (var i = random.Next(1, 20); i > 0; i--)
            {
                await CarryOutAsync(connection, Operation.Random(random));
            }

            await WaitAsync(connection);
        }
    }

    private async Task BeginAsync(RedisConnection connection, ServerLife life)
    {
        var began = Now();
        var content = await Content.ReadAsync(connection);
        if (life.KeepsAll && life == Life && history.Contradiction(content, Now()) is { } difference)
        {
            throw new TortureException($"The server itself came back with something else than it had, since {began}: {difference}");
        }

        history.BeginWith(content);
    }

    private async Task CarryOutAsync(RedisConnection connection, Operation operation)
    {
        var all = operation.Touched is null;
        var touched = operation.Touched ?? new HashSet<Key>();
        history.Send(operation);
        await connection.SendAsync(Content.Encode(operation.Commands.Concat(Content.Questions(touched))), CancellationToken.None);
        foreach (var command in operation.Commands)
        {
            report.Count(await Content.AnswerAsync(connection, command[0]) is null ? "commands refused" : "commands answered");
        }

        var now = all || operation.ChangesFunctions ? await Content.ReadAsync(connection) : await history.Newest.WithAnswersAsync(connection, touched);
        history.Became(now);
        report.Count("operations");
    }

    private async Task WaitAsync(RedisConnection connection)
    {
        var replicas = (await connection.AskAsync(CancellationToken.None, "WAIT", "1", "500")).Integer;
        if (replicas is not >= 1)
        {
            report.Count("WAIT unanswered");
            return;
        }

        history.Confirm();
        report.Count("WAIT confirmed");
        if (TimeProvider.System.GetElapsedTime(lastMoment) > BetweenMoments)
        {
            await BeQuietAsync();
            lastMoment = TimeProvider.System.GetTimestamp();
        }
    }

    /// <summary>Nothing is written until the next second of the clock has begun.</summary>
    private async Task BeQuietAsync()
    {
        var content = history.Newest;
        var second = DateTimeOffset.FromUnixTimeSeconds((Now() / 1000) + 1);
        for (var now = Now(); now <= second.ToUnixTimeMilliseconds(); now = Now())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(second.ToUnixTimeMilliseconds() - now + 1), TimeProvider.System, CancellationToken.None);
        }

        history.Note(new QuietMoment(second, content));
    }

    /// <summary>From one start of the server to its end.</summary>
    /// <param name="KeepsAll">It must have everything that it had answered in the life before.</param>
    internal sealed record ServerLife(int Number, bool KeepsAll);

    public static long Now() => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
}
