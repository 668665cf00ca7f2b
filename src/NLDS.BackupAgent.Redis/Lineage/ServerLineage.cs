using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.Lineage;

/// <summary>Who a server is and where, as it says itself. Redis has no system identifier: a history has an id, and a server that restarts with an append-only file begins a new one.</summary>
/// <param name="ReplicationId">Of its history; null where the user may not ask (INFO).</param>
/// <param name="SecondReplicationId">Of the history that this one continues: it was promoted, or has restarted from an RDB file.</param>
/// <param name="RunId">Of its process.</param>
/// <param name="IsRestored">It has the mark of a restore.</param>
/// <param name="RestoreId">The restore that it came out of, if it was made to take the original's place.</param>
internal sealed record ServerLineage(string? ReplicationId, string? SecondReplicationId, string? RunId, ServerPlace Place, bool IsRestored, string? RestoreId)
{
    public bool IsKnown => ReplicationId is not null;

    /// <summary>For messages and for <c>Agent:Adopt</c>: it lasts as long as the server's process.</summary>
    public string Name => RunId ?? ReplicationId ?? "unknown";

    public static async Task<ServerLineage> ReadAsync(
        RedisConnection connection, ServerInfo info, RedisOptions options, string instance, IReadOnlyList<string> restoreIds, CancellationToken cancellationToken)
    {
        var (isRestored, restoreId) = await RestoreMark.ReadAsync(connection, restoreIds, cancellationToken);
        return new ServerLineage(
            Id(info["master_replid"]),
            Id(info["master_replid2"]),
            info.RunId,
            ServerPlace.Of(options.Address, instance, await DirectoryAsync(connection, cancellationToken)),
            isRestored,
            restoreId);
    }

    /// <summary>Its history is this one, or goes on from it.</summary>
    public bool Continues(string? replicationId) => replicationId is not null && (ReplicationId == replicationId || SecondReplicationId == replicationId);

    private static string? Id(string? text) => text is not null && Replication.IsId(text) && text.Any(c => c != '0') ? text : null;

    private static async Task<string?> DirectoryAsync(RedisConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return (await connection.AskAsync(cancellationToken, "CONFIG", "GET", "dir")).Items is { Count: 2 } pair ? pair[1].Text : null;
        }
        catch (RedisErrorException)
        {
            return null;
        }
    }
}
