using NLDS.BackupAgent.Daemon;

namespace NLDS.BackupAgent.Health;

/// <summary>Whether the agent does what it is for: every enabled log is being streamed.</summary>
internal sealed class Readiness(TailSupervisor supervisor)
{
    /// <summary>One sentence for each reason why it is not ready; empty when it is.</summary>
    public IReadOnlyList<string> Reasons() =>
        [.. supervisor.Loops.Where(loop => !loop.IsStreaming).Select(loop =>
        {
            var status = loop.Source.Status;
            return $"{loop.Source.Name}: {loop.Fault ?? status.LastError ?? status.State}";
        })];
}
