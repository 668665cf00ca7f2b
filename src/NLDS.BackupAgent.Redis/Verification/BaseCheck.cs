using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Redis.Verification;

/// <summary>A base is an RDB file with its own checksum, whole in its structure, and holds as many keys as its manifest says.</summary>
internal sealed class BaseCheck(RedisBase? details) : IBackupCheck
{
    private readonly RdbScanner scanner = new();
    private RdbSummary? found;

    public IContentCheck Begin(BackupObject content) => new FileCheck(this);

    /// <summary>A manifest whose details cannot be read is named as damaged elsewhere.</summary>
    public string? FindContradiction() => details is null || found?.Databases?.Values.Sum(d => d.Keys) == details.Details.Keys
        ? null
        : "its file holds another number of keys than the manifest says";

    public void Dispose()
    {
    }

    private sealed class FileCheck(BaseCheck check) : IContentCheck
    {
        public void Feed(ReadOnlySpan<byte> bytes) => check.scanner.Feed(bytes);

        public void Complete() => check.found = check.scanner.Complete();
    }
}
