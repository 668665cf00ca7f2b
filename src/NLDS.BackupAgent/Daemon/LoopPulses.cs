using System.Collections.Concurrent;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Daemon;

/// <summary>The pulses of the agent's own loops, by what each of them is.</summary>
internal sealed class LoopPulses(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, LoopPulse> pulses = new();

    public LoopPulse Of(string loop) => pulses.GetOrAdd(loop, _ => new LoopPulse(time));

    /// <summary>How late each of them is.</summary>
    public IEnumerable<(string Loop, TimeSpan OverdueBy)> Overdue => pulses.Select(pulse => (pulse.Key, pulse.Value.OverdueBy));
}
