namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>The peer said something that PostgreSQL's protocol does not allow at this place. The connection is of no more use.</summary>
internal sealed class ProtocolException(string message) : Exception(message)
{
    public static ProtocolException Unexpected(byte type, string during) =>
        new($"The server sent a message of type '{(char)type}' (0x{type:X2}) during {during}. Check that a PostgreSQL server, not a pooler, answers at this address.");
}
