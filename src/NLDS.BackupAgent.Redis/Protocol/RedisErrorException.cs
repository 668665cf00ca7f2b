namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>The server answered with an error: <c>NOPERM this user has no permissions …</c>.</summary>
/// <param name="command">What was asked.</param>
/// <param name="message">The whole line without its leading minus.</param>
internal sealed class RedisErrorException(string command, string message) : Exception($"{command}: {message}")
{
    /// <summary>The first word, in capitals by convention: <c>NOAUTH</c>, <c>NOPERM</c>, <c>LOADING</c>, <c>ERR</c>.</summary>
    public string Code { get; } = message.Split(' ', 2)[0];

    public string Command { get; } = command;

    public string ServerMessage { get; } = message;

    /// <summary>The command is not there, under this name: an old server, a renamed command, or a managed service that blocks it.</summary>
    public bool IsUnknownCommand => ServerMessage.StartsWith("ERR unknown command", StringComparison.OrdinalIgnoreCase);
}
