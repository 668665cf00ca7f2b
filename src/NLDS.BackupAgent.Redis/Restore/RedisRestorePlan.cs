using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>A restore that was proved possible, pinned to what the repository held at that moment: what is written later does not change it.</summary>
internal sealed record RedisRestorePlan : RestorePlan
{
    public required RedisBase Base { get; init; }

    public required string TargetDirectory { get; init; }

    /// <summary>The stream behind the base, up to the cut; null when the base alone is restored.</summary>
    public required StreamPath? Stream { get; init; }

    /// <summary>Nothing from this offset on is replayed; the last command or transaction that ends before it is the last.</summary>
    public required ulong Cut { get; init; }

    /// <summary>The restored server takes the original's place, as long as the archive still ends here; null for a copy.</summary>
    public ArchiveEnd? Succeeds { get; init; }

    public required AofLayout Layout { get; init; }

    /// <summary>A redis-server of this machine that can make an RDB file of base and stream; null when there is none that fits.</summary>
    public required ServerProgram? Server { get; init; }
}
