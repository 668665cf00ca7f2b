using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>This process's leases, one for each source.</summary>
public sealed class WriterLeases : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, WriterLease> leases = [];
    private readonly Func<string, WriterLease> create;

    public WriterLeases(BackupRepository repository, AgentIdentity agent, ILogger<WriterLeases> logger)
        : this(repository, agent, LeaseTiming.Default, process => process.IsAlive(), logger)
    {
    }

    internal WriterLeases(BackupRepository repository, AgentIdentity agent, LeaseTiming timing, Func<ProcessIdentity, bool?> isAlive, ILogger<WriterLeases> logger) =>
        create = source => new WriterLease(repository.Store, source, agent, timing, isAlive, repository.Clock, logger);

    public WriterLease For(string source) => leases.GetOrAdd(source, create);

    public async ValueTask DisposeAsync()
    {
        foreach (var lease in leases.Values)
        {
            await lease.DisposeAsync();
        }
    }
}
