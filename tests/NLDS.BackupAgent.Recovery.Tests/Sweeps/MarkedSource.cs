using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Tests.Sweeps;

/// <summary>A log that is durable at once.</summary>
internal sealed class MarkedSource : IMarkedSource
{
    public string Name => "log";

    public Task<SourceMark> MarkAsync(string name, CancellationToken cancellationToken) => Task.FromResult(new SourceMark(name, "marked"));

    public Task<bool> IsDurableAsync(SourceMark mark, CancellationToken cancellationToken) => Task.FromResult(true);

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<SourceListing> ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) => throw new NotSupportedException();
}
