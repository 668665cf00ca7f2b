namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>While it lives, this process keeps a source's lease, unless that is lost. The last one to be disposed gives it back.</summary>
public sealed class LeaseHold : IAsyncDisposable
{
    private readonly WriterLease lease;
    private readonly HeldLease held;
    private bool disposed;

    internal LeaseHold(WriterLease lease, HeldLease held) => (this.lease, this.held) = (lease, held);

    /// <summary>Another agent has the source now.</summary>
    public bool IsLost => held.Lost is not null;

    public async ValueTask DisposeAsync()
    {
        if (!disposed)
        {
            disposed = true;
            await lease.EndAsync(held);
        }
    }
}

/// <summary>What came of one attempt to take a lease: exactly one of the two.</summary>
public sealed record LeaseAnswer(LeaseHold? Hold, LeaseRefusal? Refusal);
