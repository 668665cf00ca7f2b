using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Testing.Sweeps;

/// <summary>An operation whose every call to the store a <see cref="Sweep"/> breaks, with the model that the outcome is held against.</summary>
public abstract class SweptOperation
{
    /// <summary>Every call of an operation that takes this long is one that hangs.</summary>
    public virtual TimeSpan Bound => TimeSpan.FromSeconds(60);

    /// <summary>What the store holds before it; each attempt has its own.</summary>
    public virtual Task<MemoryObjectStore> PrepareAsync() => Task.FromResult(new MemoryObjectStore());

    /// <summary>Does it once, in a process of its own. It returns when it is done, and throws what its caller would be told.</summary>
    /// <param name="isForEver">The store will not come back while this runs: whatever tries again and again may be given up when it has said why it waits.</param>
    public abstract Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken);

    /// <summary>Behind an attempt that broke, before the next: what must hold at every moment.</summary>
    public virtual Task RequireUnbrokenAsync(IObjectStore store) => Task.CompletedTask;

    /// <summary>Behind a run that succeeded: the store verifies clean, and what is restored from it is the model.</summary>
    public abstract Task RequireDoneAsync(IObjectStore store);
}
