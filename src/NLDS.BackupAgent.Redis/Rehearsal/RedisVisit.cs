using System.Globalization;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Rehearsal;

/// <summary>A restored Redis that something else has started, met over the network with the user of the backups. Nothing in it is changed.</summary>
internal sealed class RedisVisit(RedisRestorePlan plan, string version, RedisOptions options, TimeProvider clock) : IRehearsal
{
    public IReadOnlyList<string> Description => [$"Redis {version} at {options.Address}"];

    public static async Task<RedisVisit> BeginAsync(RedisRestorePlan plan, RedisOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await RedisConnection.OpenAsync(options, options.Address, clock, cancellationToken);
            var info = await ServerInfo.ReadAsync(connection, cancellationToken);
            return new RedisVisit(plan, info["redis_version"] ?? "", options, clock);
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw RedisFailure.Explain(failure, options);
        }
    }

    public async Task<IReadOnlyList<RehearsalProof>> ProveAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await ConnectAsync(cancellationToken);
            var info = await ServerInfo.ReadAsync(connection, cancellationToken);
            var (isRestored, _) = await RestoreMark.ReadAsync(connection, [], cancellationToken);
            var keys = info.Databases.Values.Sum();
            var began = plan.Base.Details.Keys;
            var words = $"It has {keys} keys in {info.Databases.Count} databases"
                + (began is null ? "." : $"; the snapshot that it began from had {began.Value.ToString(CultureInfo.InvariantCulture)}.");
            return
            [
                isRestored ? new RehearsalProof("recovery", ProofVerdict.Proven, $"It was restored, and has loaded its data. {words}")
                    : keys == 0 && began > 0 ? new RehearsalProof("recovery", ProofVerdict.Failed, $"It has no data. {words} Was its volume filled from the store (restore redis --if-empty)?")
                    : new RehearsalProof("recovery", ProofVerdict.Finding, $"{words} That they were restored cannot be told: the server has 'appendonly no', or its user lacks +script|exists."),
                info.Primary is { } primary
                    ? new RehearsalProof("closed off", ProofVerdict.Failed, $"It is a replica of {primary}, and has that one's data.")
                    : info.Number("connected_slaves") is > 0 and var replicas
                        ? new RehearsalProof("closed off", ProofVerdict.Failed, $"{replicas} replicas follow it.")
                        : new RehearsalProof("closed off", ProofVerdict.Proven, "It is a replica of nobody, and nobody follows it."),
            ];
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw RedisFailure.Explain(failure, options);
        }
    }

    public async Task<string> AskAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await ConnectAsync(cancellationToken);
            return (await connection.AskAsync(cancellationToken, question.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Text;
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw new SourceException($"The copy does not answer '{question}': {failure.Message}", isPermanent: true, failure);
        }
    }

    public async Task<IRehearsalClient> ConnectAsync(string? statement, CancellationToken cancellationToken) =>
        new RedisRehearsalClient(await ConnectAsync(cancellationToken), statement?.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Whoever started it stops it.</summary>
    public Task<IReadOnlyList<RehearsalProof>> StopAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<RehearsalProof>>([]);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Task<RedisConnection> ConnectAsync(CancellationToken cancellationToken) => RedisConnection.OpenAsync(options, options.Address, clock, cancellationToken);
}
