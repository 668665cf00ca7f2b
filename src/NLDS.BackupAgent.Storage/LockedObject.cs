namespace NLDS.BackupAgent.Storage;

/// <summary>An object that the store keeps against deletion.</summary>
/// <param name="Until">When it may be deleted, by the store's clock.</param>
public readonly record struct LockedObject(ObjectKey Key, DateTimeOffset Until);
