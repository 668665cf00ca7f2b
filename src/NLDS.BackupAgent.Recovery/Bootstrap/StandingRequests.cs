using System.Globalization;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Bootstrap;

/// <summary>The requests for restores at the next start, as they lie in the repository. Only the newest of a source counts.</summary>
public sealed class StandingRequests(BackupRepository repository, TimeProvider clock)
{
    /// <summary>Older ones are nobody's business any more.</summary>
    private const int Remembered = 20;

    private const string Suffix = ".json";
    private const string Begun = ".begun.json";
    private const string Ended = ".ended.json";

    /// <summary>Ids of requests so far apart order as the requests do.</summary>
    private static readonly TimeSpan IdPrecision = TimeSpan.FromMilliseconds(1);

    /// <summary>Proves that the repository can give it, and writes it.</summary>
    /// <exception cref="NotRestorableException">It cannot.</exception>
    public async Task<(StandingRequest Request, RestorePlan Plan)> RequestAsync(IDirectorySource source, RestoreRequest wanted, string by, CancellationToken cancellationToken)
    {
        var plan = await source.PlanRestoreAsync(wanted with { TargetDirectory = null, HasTarget = false }, cancellationToken);
        var now = await AfterNewestAsync(source.Name, cancellationToken);
        var request = new StandingRequest
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"{now.UtcDateTime:yyyyMMdd_HHmmss_fff}_{RandomNumberGenerator.GetHexString(8, lowercase: true)}"),
            Source = source.Name,
            To = wanted.To,
            Backup = wanted.BackupId,
            RequestedAt = now,
            By = by,
        };
        var folder = Folder(source.Name);
        await folder.PutAsync(request.Id + Suffix, request, RecoveryJson.Default.StandingRequest, cancellationToken);
        await ForgetAsync(folder, cancellationToken);
        return (request, plan);
    }

    /// <summary>The newest request of a source, whatever became of it; null when the store said that there is none.</summary>
    public async Task<RequestState?> FindNewestAsync(string source, CancellationToken cancellationToken) =>
        Ids(await Folder(source).ListAsync(cancellationToken)) is [.., var newest] ? await FindAsync(source, newest, cancellationToken) : null;

    public async Task<RequestState?> FindAsync(string source, string id, CancellationToken cancellationToken)
    {
        var folder = Folder(source);
        if (await folder.FindAsync(id + Suffix, RecoveryJson.Default.StandingRequest, cancellationToken) is not { } request)
        {
            return null;
        }

        if (request.Id != id || request.Source != source)
        {
            throw new NotRestorableException($"The request '{id}' for {source} is damaged: it is of another name.");
        }

        var begun = await folder.FindAsync(id + Begun, RecoveryJson.Default.BegunRequest, cancellationToken);
        return new RequestState(request, begun?.Instance, await folder.FindAsync(id + Ended, RecoveryJson.Default.EndedRequest, cancellationToken));
    }

    /// <summary>Makes it this instance's to carry out.</summary>
    /// <returns>The instance whose it is: this one, or the one that was first.</returns>
    internal async Task<string> BeginAsync(StandingRequest request, string instance, CancellationToken cancellationToken)
    {
        var folder = Folder(request.Source);
        if (await folder.PutAsync(request.Id + Begun, new BegunRequest(request.Id, instance, clock.GetUtcNow()), RecoveryJson.Default.BegunRequest, cancellationToken))
        {
            return instance;
        }

        return (await folder.FindAsync(request.Id + Begun, RecoveryJson.Default.BegunRequest, cancellationToken))?.Instance ?? instance;
    }

    /// <returns>How it ended: this way, or the way that was first.</returns>
    public async Task<EndedRequest> EndAsync(StandingRequest request, RequestEnd end, string instance, string words, CancellationToken cancellationToken)
    {
        var folder = Folder(request.Source);
        var ended = new EndedRequest(request.Id, end, clock.GetUtcNow(), instance, words);
        return await folder.PutAsync(request.Id + Ended, ended, RecoveryJson.Default.EndedRequest, cancellationToken)
            ? ended
            : await folder.FindAsync(request.Id + Ended, RecoveryJson.Default.EndedRequest, cancellationToken) ?? ended;
    }

    /// <summary>Now; or a moment after the newest request, if two come at once or a clock was set back: what was asked for last must count.</summary>
    private async Task<DateTimeOffset> AfterNewestAsync(string source, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        return await FindNewestAsync(source, cancellationToken) is { } newest && newest.Request.RequestedAt >= now - IdPrecision
            ? newest.Request.RequestedAt + IdPrecision
            : now;
    }

    private static async Task ForgetAsync(DocumentFolder folder, CancellationToken cancellationToken)
    {
        var names = await folder.ListAsync(cancellationToken);
        var kept = Ids(names).TakeLast(Remembered).ToHashSet();
        await folder.DeleteAsync(names.Where(name => !kept.Contains(name.Split('.')[0])), cancellationToken);
    }

    private static List<string> Ids(IReadOnlyList<string> names) =>
        [.. names.Where(name => name.EndsWith(Suffix, StringComparison.Ordinal) && name.AsSpan().Count('.') == 1).Select(name => name[..^Suffix.Length])];

    private DocumentFolder Folder(string source) => repository.OpenFolder($"recovery/requests/{source}");
}
