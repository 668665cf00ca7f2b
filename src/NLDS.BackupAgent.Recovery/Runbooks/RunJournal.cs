using System.Globalization;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>The runs of all runbooks, as they lie in the repository: one document for each thing that is known for good, so that nothing is ever changed.</summary>
internal sealed class RunJournal(BackupRepository repository)
{
    private const string Begun = "begun.json";
    private const string Ended = "ended.json";

    private DocumentFolder Folder => repository.OpenFolder("recovery/runs");

    /// <summary>The newest run that has not ended; null when there is none.</summary>
    public async Task<JournaledRun?> FindUnfinishedAsync(CancellationToken cancellationToken)
    {
        var runs = await NamesAsync(cancellationToken);
        foreach (var run in runs.Where(run => run.Contains(Begun) && !run.Contains(Ended)).OrderByDescending(run => run.Key, StringComparer.Ordinal))
        {
            if (await Folder.FindAsync($"{run.Key}/{Begun}", RecoveryJson.Default.BegunRun, cancellationToken) is not { } begun)
            {
                continue;
            }

            var done = new List<DoneStep>();
            foreach (var name in run.Where(name => name.StartsWith("step-", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
            {
                if (await Folder.FindAsync($"{run.Key}/{name}", RecoveryJson.Default.DoneStep, cancellationToken) is { } step)
                {
                    done.Add(step);
                }
            }

            return new JournaledRun(begun, done);
        }

        return null;
    }

    /// <summary>The second in which it begins, or the next that no run has.</summary>
    public async Task<string> NewIdAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var taken = (await NamesAsync(cancellationToken)).Select(run => run.Key).ToHashSet();
        var id = BackupId.At(now);
        while (taken.Contains(id.ToString()))
        {
            id = id.Next();
        }

        return id.ToString();
    }

    public Task BeginAsync(BegunRun run, CancellationToken cancellationToken) => PutAsync(run.Id, Begun, run, RecoveryJson.Default.BegunRun, cancellationToken);

    public Task WriteAsync(string run, DoneStep step, CancellationToken cancellationToken) => PutAsync(
        run, string.Create(CultureInfo.InvariantCulture, $"step-{step.Number:00}.json"), step, RecoveryJson.Default.DoneStep, cancellationToken);

    public Task EndAsync(EndedRun end, CancellationToken cancellationToken) => PutAsync(end.Id, Ended, end, RecoveryJson.Default.EndedRun, cancellationToken);

    private async Task PutAsync<T>(
        string run, string name, T document, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        if (!await Folder.PutAsync($"{run}/{name}", document, type, cancellationToken))
        {
            throw new SourceException($"Somebody else has written '{name}' of the recovery {run}: it goes on elsewhere. Look there.", isPermanent: true);
        }
    }

    private async Task<ILookup<string, string>> NamesAsync(CancellationToken cancellationToken) =>
        (await Folder.ListAsync(cancellationToken)).Select(name => name.Split('/', 2)).Where(parts => parts.Length == 2).ToLookup(parts => parts[0], parts => parts[1]);
}
