using System.Globalization;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>The operator's own questions to a copy, and what the answers prove.</summary>
/// <param name="source">Where the original can be asked the same.</param>
/// <param name="copy">The restored server.</param>
/// <param name="isLatest">It was restored to the end of what is stored.</param>
/// <param name="began">When the drill of this source began.</param>
internal sealed class DrillChecks(IRehearsedSource source, IRehearsal copy, bool isLatest, DateTimeOffset began)
{
    /// <summary>What would have been lost by the newest heartbeat, in seconds; null where none was asked for.</summary>
    public double? HeartbeatPoint { get; private set; }

    public async Task<RehearsalProof> ProveAsync(DrillCheckOptions check, CancellationToken cancellationToken)
    {
        string answer;
        try
        {
            answer = await copy.AskAsync(check.Question, cancellationToken);
        }
        catch (SourceException refused)
        {
            return new RehearsalProof(check.Name, ProofVerdict.Failed, refused.Message);
        }

        if (check.IsHeartbeat)
        {
            return Heartbeat(check, answer);
        }

        var number = double.TryParse(answer, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) ? parsed : (double?)null;
        if (check.AtLeast is { } least && !(number >= least))
        {
            return new RehearsalProof(check.Name, ProofVerdict.Failed, $"{check.Question}: {answer}, where at least {least.ToString(CultureInfo.InvariantCulture)} is asked.");
        }

        return check.AtMostBehind is { } most
            ? await CompareAsync(check, number, most, cancellationToken)
            : new RehearsalProof(check.Name, ProofVerdict.Proven, $"{check.Question}: {answer}.");
    }

    private async Task<RehearsalProof> CompareAsync(DrillCheckOptions check, double? number, double most, CancellationToken cancellationToken)
    {
        string answer;
        try
        {
            answer = await source.AskServerAsync(check.Question, cancellationToken);
        }
        catch (SourceException unreachable)
        {
            return new RehearsalProof(check.Name, ProofVerdict.NotLooked, $"{check.Question}: {number}. The original could not be asked: {unreachable.Message}");
        }

        var words = string.Create(CultureInfo.InvariantCulture, $"{check.Question}: {number} in the copy, {answer} in the original.");
        return double.TryParse(answer, NumberStyles.Float, CultureInfo.InvariantCulture, out var original) && original - number <= most
            ? new RehearsalProof(check.Name, ProofVerdict.Proven, words)
            : new RehearsalProof(check.Name, ProofVerdict.Finding, string.Create(CultureInfo.InvariantCulture, $"{words} At most {most} behind is asked."));
    }

    private RehearsalProof Heartbeat(DrillCheckOptions check, string answer)
    {
        if (!DateTimeOffset.TryParse(answer, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var beat))
        {
            return new RehearsalProof(check.Name, ProofVerdict.Failed, $"{check.Question}: '{answer}' is no moment.");
        }

        if (!isLatest)
        {
            return new RehearsalProof(check.Name, ProofVerdict.Proven, $"The newest heartbeat is of {beat.UtcDateTime:u}.");
        }

        HeartbeatPoint = Math.Max(0, (began - beat).TotalSeconds);
        return new RehearsalProof(check.Name, ProofVerdict.Proven, string.Create(CultureInfo.InvariantCulture, $"The newest heartbeat is of {beat.UtcDateTime:O}, {HeartbeatPoint:F1} s before the drill began."));
    }
}
