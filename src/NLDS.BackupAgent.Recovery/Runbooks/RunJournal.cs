using System.Globalization;
using System.Text.Json.Serialization.Metadata;
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
    private const string Step = "step-";
    private const string Path = "recovery/runs";

    private DocumentFolder Folder => repository.OpenFolder(Path);

    /// <summary>The newest run that has not ended; null when there is none.</summary>
    /// <exception cref="NotRestorableException">Something of it is damaged or missing: what was done, or what was remembered, is not known.</exception>
    public async Task<JournaledRun?> FindUnfinishedAsync(CancellationToken cancellationToken)
    {
        var runs = await NamesAsync(cancellationToken);
        if (runs.Where(run => !run.Contains(Ended)).MaxBy(run => run.Key, StringComparer.Ordinal) is not { } run)
        {
            return null;
        }

        var begun = await RequireAsync(run.Key, Begun, RecoveryJson.Default.BegunRun, cancellationToken);
        var done = new List<DoneStep>();
        for (var number = 1; number <= run.Count(name => name.StartsWith(Step, StringComparison.Ordinal)); number++)
        {
            done.Add(await RequireAsync(run.Key, NameOfStep(number), RecoveryJson.Default.DoneStep, cancellationToken));
        }

        return new JournaledRun(begun, done);
    }

    /// <summary>The second in which it begins, or the next that no run has.</summary>
    public async Task<string> NewIdAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        BackupId.FirstFree(now, (await NamesAsync(cancellationToken)).Select(run => run.Key).ToHashSet()).ToString();

    public Task BeginAsync(BegunRun run, CancellationToken cancellationToken) => PutAsync(run.Id, Begun, run, RecoveryJson.Default.BegunRun, cancellationToken);

    public Task WriteAsync(string run, DoneStep step, CancellationToken cancellationToken) => PutAsync(
        run, NameOfStep(step.Number), step, RecoveryJson.Default.DoneStep, cancellationToken);

    public Task EndAsync(EndedRun end, CancellationToken cancellationToken) => PutAsync(end.Id, Ended, end, RecoveryJson.Default.EndedRun, cancellationToken);

    private static string NameOfStep(int number) => string.Create(CultureInfo.InvariantCulture, $"{Step}{number:00}.json");

    private async Task<T> RequireAsync<T>(string run, string name, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class =>
        await Folder.FindAsync($"{run}/{name}", type, cancellationToken)
        ?? throw new NotRestorableException(
            $"'{Path}/{run}/{name}' is missing, so it is not known how far that recovery came. Restore that object, or remove the rest of the run when what it was to recover is in order.");

    private async Task PutAsync<T>(
        string run, string name, T document, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        if (!await Folder.PutAsync($"{run}/{name}", document, type, cancellationToken))
        {
            throw new SourceException($"Somebody else has written '{name}' of the recovery {run}: it goes on elsewhere. Look there.", isPermanent: true);
        }
    }

    private async Task<ILookup<string, string>> NamesAsync(CancellationToken cancellationToken) =>
        (await Folder.ListAsync(cancellationToken)).Select(name => name.Split('/', 2)).Where(parts => parts.Length == 2).ToLookup(parts => parts[0], parts => parts[1]);
}
