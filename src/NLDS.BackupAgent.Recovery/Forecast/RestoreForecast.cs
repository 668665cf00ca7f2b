using NLDS.BackupAgent.Recovery.Drills;

namespace NLDS.BackupAgent.Recovery.Forecast;

/// <summary>How long a restore would take now: the source's own estimate, corrected by what the last drill measured against its estimate.</summary>
public sealed class RestoreForecast(DrillHistory drills, DrillOptions drill, RecoveryOptions recovery)
{
    /// <summary>A drill of less than this measures how long programs take to start, not rates.</summary>
    private const long TellingBytes = 256L << 20;

    /// <summary>A drill on another disk, or beside a busy server, tells the truth within this.</summary>
    private const double Furthest = 10;

    /// <summary>The recovery time that must hold.</summary>
    public TimeSpan Objective => drill.RecoveryTime;

    /// <summary>An early backup is taken at most this often; null for never.</summary>
    public TimeSpan? EarlyEvery => recovery.EarlyBackupsPerDay > 0 ? TimeSpan.FromDays(1) / recovery.EarlyBackupsPerDay : null;

    /// <param name="source">Its name.</param>
    /// <param name="estimate">What the source thinks, from rates that are not this machine's.</param>
    /// <returns>Null when the source has no estimate.</returns>
    public TimeSpan? For(string source, TimeSpan? estimate) => estimate is { } foretold ? foretold * Correction(drills.Reports, source) : null;

    internal static double Correction(IReadOnlyList<DrillReport> reports, string source)
    {
        var measured = reports.SelectMany(report => report.Sources)
            .LastOrDefault(drilled => drilled.Source == source && drilled.ContentBytes >= TellingBytes && drilled is { RecoveryTimeSeconds: not null, EstimateSeconds: > 0 });
        return measured is null ? 1 : Math.Clamp(measured.RecoveryTimeSeconds!.Value / measured.EstimateSeconds!.Value, 1 / Furthest, Furthest);
    }
}
