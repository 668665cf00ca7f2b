using System.Globalization;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Redis.Rehearsal;

/// <summary>
/// A restored Redis that runs for a drill, on a socket in a private directory. It is a replica of nobody: so it does not expire keys on its own, and what is counted is
/// what was restored.
/// </summary>
internal sealed class RedisRehearsal : IRehearsal
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly RedisRestorePlan plan;
    private readonly ServerProgram program;
    private readonly RehearsalProcess server;
    private readonly TimeProvider clock;
    private readonly string socket;

    private RedisRehearsal(RedisRestorePlan plan, ServerProgram program, RehearsalProcess server, string socket, TimeProvider clock) =>
        (this.plan, this.program, this.server, this.socket, this.clock) = (plan, program, server, socket, clock);

    public IReadOnlyList<string> Description =>
    [
        $"Redis {program.Version} ({program.Path}), process {server.Id}",
        server.IsCutOff ? "cut off from every network by the kernel; a socket in a private directory" : "no network address; a socket in a private directory",
        "no saving, a replica of nobody: nothing expires while it is looked at",
    ];

    public static async Task<RedisRehearsal> StartAsync(
        RedisRestorePlan plan, ServerProgram program, string privateDirectory, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (UnixFiles.IsRoot)
        {
            var (user, group) = UnixFiles.Owner(plan.TargetDirectory);
            UnixFiles.ChangeOwner(privateDirectory, user, group);
        }

        var socket = Path.Combine(privateDirectory, "redis.sock");
        var server = await RehearsalProcess.StartAsync(
            program.Path,
            [
                "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", plan.TargetDirectory, "--save", "", "--appendonly", "yes",
                "--replicaof", "127.0.0.1", "1", "--daemonize", "no",
            ],
            plan.TargetDirectory,
            Path.Combine(privateDirectory, "server.log"),
            clock,
            cancellationToken);
        var rehearsal = new RedisRehearsal(plan, program, server, socket, clock);
        try
        {
            await rehearsal.AwaitLoadedAsync(cancellationToken);
            return rehearsal;
        }
        catch
        {
            await rehearsal.DisposeAsync();
            throw;
        }
    }

    public async Task<IReadOnlyList<RehearsalProof>> ProveAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(cancellationToken);
        var databases = ServerInfo.Parse((await connection.AskAsync(cancellationToken, "INFO", "keyspace")).Text).Databases;
        var keys = databases.Values.Sum();
        var began = plan.Base.Details.Keys;
        var words = $"It loaded {keys} keys in {databases.Count} databases, up to {plan.Target}"
            + (began is null ? "." : $"; the snapshot that it began from had {began.Value.ToString(CultureInfo.InvariantCulture)}.");

        // Without commands behind it, the copy is the snapshot, key for key.
        return plan.Stream is null && began is { } expected && expected != keys
            ? [new RehearsalProof("keys", ProofVerdict.Failed, words)]
            : [new RehearsalProof("keys", ProofVerdict.Proven, words)];
    }

    public async Task<string> AskAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await ConnectAsync(cancellationToken);
            return (await connection.AskAsync(cancellationToken, question.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Text;
        }
        catch (RedisErrorException refused)
        {
            throw new SourceException($"The copy does not answer '{question}': {refused.Message}", isPermanent: true, refused);
        }
    }

    public async Task<IRehearsalClient> ConnectAsync(string? statement, CancellationToken cancellationToken) =>
        new RedisRehearsalClient(await ConnectAsync(cancellationToken), statement?.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>There is nothing to save, and nothing that only a stopped server tells.</summary>
    public async Task<IReadOnlyList<RehearsalProof>> StopAsync(CancellationToken cancellationToken)
    {
        await server.DisposeAsync();
        return [];
    }

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private async Task AwaitLoadedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (server.HasExited)
            {
                throw new NotRestorableException($"The restored Redis did not start: {server.LastWords()}");
            }

            if (File.Exists(socket) && await IsLoadedAsync(cancellationToken))
            {
                return;
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

    private async Task<bool> IsLoadedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await ConnectAsync(cancellationToken);
            return ServerInfo.Parse((await connection.AskAsync(cancellationToken, "INFO", "persistence")).Text)["loading"] == "0";
        }
        catch (Exception early) when (early is ConnectionLostException or RedisErrorException)
        {
            return false;
        }
    }

    private Task<RedisConnection> ConnectAsync(CancellationToken cancellationToken) =>
        RedisConnection.OpenAsync(new RedisOptions(), new ServerAddress(socket, 0), clock, cancellationToken);
}
