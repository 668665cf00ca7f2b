using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>One object that holds a range of the log: a whole segment, or a chunk of the open one.</summary>
public sealed record LogPiece(ObjectKey Key, string Lineage, LogRange Range, Codec Codec, long StoredBytes, bool IsSegment)
{
    /// <summary>The object's key, for messages.</summary>
    public string Name => Key.Value;
}
