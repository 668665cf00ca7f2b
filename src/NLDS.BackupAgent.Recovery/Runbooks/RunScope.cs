using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>Who listens to a recovery while it runs.</summary>
/// <param name="Say">Told a line at a time what happens.</param>
/// <param name="Progress">Told how far long work has come.</param>
public sealed record RecoveryWatch(Action<string> Say, IProgress<TransferProgress> Progress);

/// <summary>What a step knows of the run that it belongs to.</summary>
/// <param name="id">The run's.</param>
/// <param name="facts">What was found before anything was changed, and what earlier steps remembered.</param>
internal sealed class RunScope(string id, RunFacts facts, RecoveryWatch watch)
{
    private readonly Dictionary<string, string> remembered = [];
    private readonly List<string> findings = [];

    public string Id { get; } = id;

    public RunFacts Facts => facts.With(remembered);

    public IProgress<TransferProgress> Progress => watch.Progress;

    /// <summary>What this step found out; it is in the journal when the step is.</summary>
    public IReadOnlyDictionary<string, string> Remembered => remembered;

    public IReadOnlyList<string> Findings => findings;

    public void Say(string line) => watch.Say(line);

    public void Remember(string fact, string value) => remembered[fact] = value;

    /// <summary>Something that somebody should look at, though the recovery goes on.</summary>
    public void Find(string finding)
    {
        findings.Add(finding);
        watch.Say($"! {finding}");
    }
}
