namespace NLDS.BackupAgent.Storage;

/// <summary>What a store says of one object.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Bytes">Its stored length in bytes.</param>
/// <param name="LastModified">The store's own clock when the object appeared.</param>
public readonly record struct ObjectInfo(ObjectKey Key, long Bytes, DateTimeOffset LastModified);
