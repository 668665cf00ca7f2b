namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>Finds the server that takes the writes: the configured one, or the primary that it follows.</summary>
internal static class PrimaryConnection
{
    /// <summary>A replica of a replica of a replica; more is a circle.</summary>
    private const int LongestChain = 3;

    public static async Task<(RedisConnection Connection, ServerInfo Info)> OpenAsync(RedisOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        var address = options.Address;
        for (var hop = 0; ; hop++)
        {
            var connection = await RedisConnection.OpenAsync(options, address, clock, cancellationToken);
            try
            {
                var info = await ServerInfo.ReadAsync(connection, cancellationToken);
                if (!options.FollowPrimary || info.Primary is not { } primary)
                {
                    return (connection, info);
                }

                address = hop < LongestChain
                    ? primary
                    : throw new ConnectionLostException($"{options.Address} follows a primary that is itself a replica, {LongestChain} times over. Wait for the failover to end.");
            }
            catch
            {
                await connection.DisposeAsync();
                throw;
            }

            await connection.DisposeAsync();
        }
    }
}
