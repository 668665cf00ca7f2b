using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>One object that holds a range of the log: a whole segment, or a chunk of the open one.</summary>
public sealed record LogPiece(ObjectKey Key, string Lineage, LogRange Range, Codec Codec, long StoredBytes, bool IsSegment)
{
    /// <summary>Its frames and its seal are encrypted; the key's id is inside.</summary>
    public bool IsEncrypted { get; init; }

    /// <summary>Its seal has no place in it and is an object beside it.</summary>
    internal bool HasSealBeside => Codec == Codec.None && !IsEncrypted;

    /// <summary>The object's key, for messages.</summary>
    public string Name => Key.Value;
}
