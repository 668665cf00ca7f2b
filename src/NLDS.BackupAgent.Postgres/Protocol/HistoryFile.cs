namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>A timeline's history file as the server sent it, byte for byte.</summary>
internal sealed record HistoryFile(string FileName, byte[] Content);
