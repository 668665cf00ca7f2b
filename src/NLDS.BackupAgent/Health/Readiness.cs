using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Health;

/// <summary>Whether the agent can do what it is for: the store answers, every enabled log is being streamed, and what has no log can be reached.</summary>
internal sealed class Readiness
{
    /// <summary>What every repository has; that it is absent, before the first run, is an answer too.</summary>
    private static readonly ObjectKey Repository = new("repository.json");

    private static readonly TimeSpan KeepStore = TimeSpan.FromSeconds(10);

    /// <summary>A server is asked by a new connection each time.</summary>
    private static readonly TimeSpan KeepSource = TimeSpan.FromMinutes(1);

    private readonly TailSupervisor supervisor;
    private readonly IReadOnlyList<Look> looks;

    public Readiness(TailSupervisor supervisor, SourceCatalog sources, TimeProvider time, IHostApplicationLifetime lifetime, IObjectStore? store = null)
    {
        this.supervisor = supervisor;
        var stopping = lifetime.ApplicationStopping;
        looks =
        [
            .. store is null ? [] : new[] { new Look("store", token => store.HeadAsync(Repository, token), KeepStore, time, stopping) },
            .. sources.Enabled.Where(entry => entry.Continuous is null && entry.Source is IReachableSource)
                .Select(entry => new Look(entry.Name, ((IReachableSource)entry.Source).ReachAsync, KeepSource, time, stopping)),
        ];
    }

    /// <summary>One sentence for each reason why it is not ready; empty when it is. Answers within a second, whatever hangs.</summary>
    public async Task<IReadOnlyList<string>> AskAsync()
    {
        var found = await Task.WhenAll(looks.Select(look => look.AskAsync()));
        return [.. found.OfType<string>(), .. Tails()];
    }

    /// <summary>The same as far as it is known.</summary>
    public IReadOnlyList<string> Peek() => [.. looks.Select(look => look.Peek()).OfType<string>(), .. Tails()];

    private IEnumerable<string> Tails() => supervisor.Loops.Where(loop => !loop.IsStreaming).Select(loop =>
    {
        var status = loop.Source.Status;
        return $"{loop.Source.Name}: {loop.Fault ?? status.LastError ?? status.State}";
    });
}
