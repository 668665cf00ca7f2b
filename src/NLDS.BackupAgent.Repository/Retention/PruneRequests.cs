using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>
/// A prune that somebody wants now: done in this process where the source's lease is to be had, and otherwise by the agent that has it. The request and its answer lie in
/// the store beside the lease, so whoever may not write to the store cannot ask; with a key, neither can who has not the key.
/// </summary>
public sealed class PruneRequests(BackupRepository repository, Pruner pruner, WriterLeases leases)
{
    /// <summary>A holder looks every ten seconds; one beat may fail, and one look come too early.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    /// <summary>Taking a request back gets its own time: the caller's token is usually the one that has just been cancelled.</summary>
    private static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(5);

    /// <param name="source">Whose backups.</param>
    /// <param name="plan">What whoever asks has seen; the report of another agent's prune is given with it.</param>
    /// <param name="allowLarge">A human has seen the plan and wants more than half of the backups gone.</param>
    /// <param name="by">Who asks, as <c>user@host</c>.</param>
    /// <param name="asked">Told once, in a sentence, when another agent is asked to do it.</param>
    /// <param name="cancellationToken">Takes the request back; what the other agent has begun it ends.</param>
    /// <exception cref="SourceException">A guard refuses, or the agent that has the lease does not answer; the message says what to do.</exception>
    public async Task<PruneReport> PruneAsync(IRetainedSource source, PrunePlan plan, bool allowLarge, string by, Action<string> asked, CancellationToken cancellationToken)
    {
        var lease = leases.For(source.Name);
        PruneRequest? request = null;
        var began = repository.Clock.GetTimestamp();
        try
        {
            while (true)
            {
                var held = await lease.TryHoldAsync(cancellationToken);
                if (held.Hold is { } hold)
                {
                    await using (hold)
                    {
                        return await pruner.PruneAsync(source, allowLarge, limit: null, cancellationToken);
                    }
                }

                var answer = request is null ? null : await FindAnswerAsync(source.Name, request.Id, cancellationToken);
                if (answer is { IsDone: true })
                {
                    return answer.Refusal is { } refusal
                        ? throw new SourceException(refusal, isPermanent: true)
                        : new PruneReport(plan, answer.Backups, answer.Objects, answer.Left);
                }

                if (request is null && held.Refusal!.IsAlive)
                {
                    request = await AskAsync(source.Name, held.Refusal.Epoch, allowLarge, by, cancellationToken);
                    asked($"The agent that writes the archive of {source.Name} is asked to prune it; it looks every ten seconds.");
                    began = repository.Clock.GetTimestamp();
                }
                else if (request is not null && answer is null && repository.Clock.GetElapsedTime(began) > Patience)
                {
                    throw new SourceException($"{held.Refusal!.Message} It was asked to prune and did not answer.", isPermanent: true);
                }

                await Task.Delay(lease.LookEvery, repository.Clock, cancellationToken);
            }
        }
        finally
        {
            await (request is null ? Task.CompletedTask : WithdrawAsync(source.Name));
        }
    }

    /// <summary>Does somebody ask this process, which has the source's lease? It knows from its own beat.</summary>
    public bool IsAsked(string source) => leases.For(source).IsAsked;

    /// <summary>Does what was asked of this process, and says what came of it.</summary>
    /// <param name="source">Whose lease this process has.</param>
    /// <param name="prune">Given whether more than half of the backups may go, and who asks.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    public async Task AnswerAsync(string source, Func<bool, string, Task<PruneReport>> prune, CancellationToken cancellationToken)
    {
        var key = LeaseFolder.RequestKey(source);
        PruneRequest? request;
        try
        {
            request = await repository.Documents.FindAsync(key, RetentionJson.Default.PruneRequest, cancellationToken);
        }
        catch (NotRestorableException)
        {
            // Damaged, or of somebody without the key: it asks for nothing.
            request = null;
        }

        var isOurs = request is not null && request.Epoch == leases.For(source).Epoch;
        if (isOurs)
        {
            await SayAsync(source, new PruneAnswer(request!.Id, IsDone: false, 0, 0, [], null), cancellationToken);
        }

        await repository.Store.DeleteAsync([key], cancellationToken);
        leases.For(source).ForgetRequest();
        if (isOurs)
        {
            await SayAsync(source, await DoAsync(request!, prune), cancellationToken);
        }
    }

    private static async Task<PruneAnswer> DoAsync(PruneRequest request, Func<bool, string, Task<PruneReport>> prune)
    {
        try
        {
            var report = await prune(request.AllowLarge, request.By);
            return new PruneAnswer(request.Id, IsDone: true, report.Backups, report.Objects, report.Left, null);
        }
        catch (Exception refused) when (refused is SourceException or NotRestorableException or ObjectStoreException)
        {
            return new PruneAnswer(request.Id, IsDone: true, 0, 0, [], refused.Message);
        }
    }

    private async Task<PruneRequest> AskAsync(string source, ulong epoch, bool allowLarge, string by, CancellationToken cancellationToken)
    {
        var request = new PruneRequest(Guid.NewGuid(), epoch, allowLarge, by, repository.Clock.GetUtcNow());
        return await repository.Documents.PutAsync(LeaseFolder.RequestKey(source), request, RetentionJson.Default.PruneRequest, cancellationToken)
            ? request
            : throw new SourceException($"Somebody else has just asked for a prune of {source}. Try again when that is done.", isPermanent: false);
    }

    private async Task<PruneAnswer?> FindAnswerAsync(string source, Guid id, CancellationToken cancellationToken) =>
        await repository.Documents.FindRegisterAsync(LeaseFolder.AnswerKey(source), RetentionJson.Default.PruneAnswer, cancellationToken) is { } answer && answer.Id == id ? answer : null;

    private Task SayAsync(string source, PruneAnswer answer, CancellationToken cancellationToken) =>
        repository.Documents.ReplaceAsync(LeaseFolder.AnswerKey(source), answer, RetentionJson.Default.PruneAnswer, cancellationToken);

    private async Task WithdrawAsync(string source)
    {
        using var limit = new CancellationTokenSource(CleanUpTime, repository.Clock);
        try
        {
            await repository.Store.DeleteAsync([LeaseFolder.RequestKey(source)], limit.Token);
        }
        catch (Exception failure) when (failure is ObjectStoreException or OperationCanceledException)
        {
            // It names the epoch that it asks; when that has ended nobody does it any more.
        }
    }
}
