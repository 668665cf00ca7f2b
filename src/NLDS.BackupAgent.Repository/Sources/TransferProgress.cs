namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>How far long work has come.</summary>
/// <param name="Phase">What is being done: <c>base backup</c>, <c>write-ahead log</c>.</param>
/// <param name="BytesDone">Content bytes handled so far in this phase.</param>
/// <param name="BytesTotal">The expected total, or null when unknown.</param>
public readonly record struct TransferProgress(string Phase, long BytesDone, long? BytesTotal);
