namespace NLDS.BackupAgent.Storage;

/// <summary>What an upload left in the store that was neither completed nor abandoned: bytes that no listing shows and that are paid for.</summary>
/// <param name="Name">Where it is, for people: the key that it was for, or its temporary file.</param>
/// <param name="Id">What the store finds it by.</param>
/// <param name="Since">The store's own clock when it began (S3) or was last written to (directory).</param>
public readonly record struct UnfinishedUpload(string Name, string Id, DateTimeOffset Since);
