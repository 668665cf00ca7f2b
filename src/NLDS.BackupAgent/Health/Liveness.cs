using NLDS.BackupAgent.Daemon;

namespace NLDS.BackupAgent.Health;

/// <summary>
/// Whether the agent's loops turn. Who asks kills the process when they do not, so only what another process would do better counts: a loop that waits for a server,
/// the store or a job is alive, however long that takes.
/// </summary>
internal sealed class Liveness(LoopPulses pulses, TailSupervisor supervisor)
{
    /// <summary>So late a turn may be. A collection of garbage, a starved container, a machine that was halted for a moment are over by then.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    /// <summary>One sentence for each loop that is stuck; empty when none is.</summary>
    public IReadOnlyList<string> Reasons() =>
        [.. pulses.Overdue.Concat(supervisor.Loops.Select(loop => (Loop: $"the tail of {loop.Source.Name}", loop.OverdueBy)))
            .Where(loop => loop.OverdueBy > Bound)
            .Select(loop => FormattableString.Invariant($"{loop.Loop} should have turned {loop.OverdueBy.TotalSeconds:F0} s ago. Only a restart helps; please report it."))];
}
