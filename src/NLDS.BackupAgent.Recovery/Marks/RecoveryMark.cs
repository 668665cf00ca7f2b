namespace NLDS.BackupAgent.Recovery.Marks;

/// <summary><c>marks/NAME.json</c>: one moment, in all sources. Written once, when the repository held all of it.</summary>
public sealed record RecoveryMark
{
    public required string Name { get; init; }

    public required DateTimeOffset MarkedAt { get; init; }

    public required string By { get; init; }

    /// <summary>Made by the schedule, which removes it again after a time.</summary>
    public required bool IsScheduled { get; init; }

    /// <summary>By source.</summary>
    public required IReadOnlyDictionary<string, MarkedPlace> Places { get; init; }

    /// <summary>From the first source's being asked until the last one's answer: the places lie within this of each other.</summary>
    public required double SkewSeconds { get; init; }
}

/// <summary>Where one source was at a mark.</summary>
/// <param name="To">What its restore understands; null for a source without a log.</param>
/// <param name="Backup">Of a source without a log, its newest backup; null for one with a log.</param>
/// <param name="BackupAgeSeconds">How old that backup was.</param>
public sealed record MarkedPlace(string? To, string? Backup, double? BackupAgeSeconds, string Words);
