namespace NLDS.BackupAgent.Torture.Stores;

/// <summary>Where the agent under torture keeps its repository, and how that fails.</summary>
internal abstract class TortureStore : IAsyncDisposable
{
    /// <summary>The agent's settings for it.</summary>
    public abstract IReadOnlyDictionary<string, string> Settings { get; }

    /// <summary>Whether it can be full.</summary>
    public virtual bool CanBeFull => false;

    /// <summary>From now on nothing of it can be had, in one of its ways.</summary>
    public abstract Task LeaveAsync(Random random);

    /// <exception cref="TortureException">Somebody did what must not be done while it was away.</exception>
    public abstract Task ReturnAsync();

    public virtual Task FillAsync(Random random) => throw new NotSupportedException();

    public virtual Task FreeAsync() => throw new NotSupportedException();

    public abstract Task<StoreContent> CountAsync();

    public abstract ValueTask DisposeAsync();
}
