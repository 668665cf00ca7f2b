using System.Text;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Rehearsal;

/// <summary>A client that reads random keys, or does what it was told, again and again.</summary>
internal sealed class RedisRehearsalClient(RedisConnection connection, string[]? command) : IRehearsalClient
{
    public async Task DoAsync(CancellationToken cancellationToken)
    {
        if (command is not null)
        {
            await connection.AskAsync(cancellationToken, command);
        }
        else if ((await connection.AskAsync(cancellationToken, "RANDOMKEY")).Bytes is { } key)
        {
            await connection.AskAsync(cancellationToken, "DUMP", Encoding.Latin1.GetString(key));
        }
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
