using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Bootstrap;

/// <summary>
/// What comes before the start of a server: it goes on with its data, begins anew where nothing was ever stored, gets its data back where they are lost, or is set back
/// to where somebody requested. Whatever is not certain is an exception, and then the server must not start.
/// </summary>
public sealed partial class ServerBootstrap(
    BackupRepository repository, StandingRequests requests, AgentIdentity agent, RecoveryOptions options, TimeProvider clock, ILogger<ServerBootstrap> logger)
{
    /// <summary>A server that has its data does not wait longer for a store that does not answer.</summary>
    private static readonly TimeSpan LookTime = TimeSpan.FromSeconds(15);

    /// <summary>Told each step that is durable; a test ends there.</summary>
    internal Action<string> Reached { get; set; } = _ => { };

    /// <summary>Decides, and changes nothing.</summary>
    /// <param name="source">Whose server starts.</param>
    /// <param name="wanted">Its target directory and options; what to restore to when nobody requested anything.</param>
    /// <param name="cancellationToken">Leaves everything as it is.</param>
    /// <exception cref="SourceException">What lies there, or what the repository has, leaves open what is right.</exception>
    /// <exception cref="NotRestorableException">There is something to restore, and it cannot be.</exception>
    public async Task<BootstrapPlan> PlanAsync(IDirectorySource source, RestoreRequest wanted, CancellationToken cancellationToken)
    {
        var directory = Require(wanted);
        var content = source.Look(directory);
        var progress = new RequestWork(directory).Read();

        // A request is for the original's server: a copy that carried it out would take it away from there.
        var newest = wanted.TakesPlace ? await FindRequestAsync(source, directory, content, progress, cancellationToken) : null;
        if (progress is not null)
        {
            return await ContinueAsync(source, wanted, content, progress, newest, cancellationToken);
        }

        if (newest is { Ended: null } standing)
        {
            if (standing.BegunBy is null || standing.BegunBy == agent.Instance)
            {
                return await ForRequestAsync(source, wanted, content, standing.Request, progress: null, cancellationToken);
            }

            LogOthers(standing.Request.Id, standing.BegunBy);
        }

        return content.Kind switch
        {
            DirectoryKind.Data => new BootstrapPlan(BootstrapAction.KeepData, $"'{directory}' holds {content.Words}. Nothing was done."),
            DirectoryKind.Strange => throw new SourceException(
                $"'{directory}' holds {content.Words}. Nothing was done, because nobody knows whose they are. Move them away if they are not needed, then start again.",
                isPermanent: true),
            _ when await repository.HoldsAnythingOfAsync(source.Name, cancellationToken) => new BootstrapPlan(
                BootstrapAction.Restore,
                $"'{directory}' holds {content.Words}, and the repository in {repository.Description} has {source.Name}: it is restored.",
                await source.PlanRestoreAsync(wanted, cancellationToken)),
            DirectoryKind.Unfinished => throw new SourceException(
                $"'{directory}' holds {content.Words}, but the repository in {repository.Description} has nothing of {source.Name}. Nothing was done. Do the settings of "
                + "Storage point where the restore came from?",
                isPermanent: true),
            _ when !wanted.TakesPlace => throw new SourceException(
                $"'{directory}' holds {content.Words}, and the repository in {repository.Description} has nothing of {source.Name}: a copy of nothing would be an empty server. "
                + "Nothing was done. Do the settings of Storage point where the original's backups are?",
                isPermanent: true),
            _ => new BootstrapPlan(
                BootstrapAction.LetInitialise,
                $"'{directory}' holds {content.Words}, and the repository in {repository.Description} certainly has nothing of {source.Name}: the server may begin anew."),
        };
    }

    /// <summary>Does what a plan says. Ended at any point, it goes on there with the next plan.</summary>
    public async Task<BootstrapOutcome> RunAsync(
        IDirectorySource source, RestoreRequest wanted, BootstrapPlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var directory = Require(wanted);
        try
        {
            return plan.Action switch
            {
                BootstrapAction.Restore => await RestoreAsync(source, plan.Restore!, progress, cancellationToken),
                BootstrapAction.CarryOutRequest => await CarryOutAsync(source, wanted, plan, progress, cancellationToken),
                BootstrapAction.PutDataBack => PutBack(source, directory, plan),
                _ => new BootstrapOutcome(plan.Action, plan.Words),
            };
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SourceException($"The bootstrap of '{directory}' stopped: {failure.Message} It goes on where it stopped when it is started again.", isPermanent: true, failure);
        }
    }

    private static string Require(RestoreRequest wanted) => wanted.TargetDirectory is { Length: > 0 } directory
        ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory))
        : throw new UsageException("Say where the server has its data: --target-directory DIR.");

    /// <summary>
    /// A server that has its data does not need the store to start: its being away must not keep the database away. A request that is being carried out does need it.
    /// </summary>
    private async Task<RequestState?> FindRequestAsync(
        IDirectorySource source, string directory, DirectoryContent content, RequestProgress? progress, CancellationToken cancellationToken)
    {
        if (content.Kind != DirectoryKind.Data || progress is not null)
        {
            return await requests.FindNewestAsync(source.Name, cancellationToken);
        }

        using var limit = new CancellationTokenSource(LookTime, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await requests.FindNewestAsync(source.Name, either.Token);
        }
        catch (Exception failure) when (failure.IsStoreFailure() || failure is NotRestorableException or SourceException || (failure is OperationCanceledException && limit.IsCancellationRequested))
        {
            LogUnknown(directory, failure is OperationCanceledException ? $"the store did not answer within {LookTime.TotalSeconds:F0} s" : failure.Message);
            return null;
        }
    }

    private async Task<BootstrapPlan> ContinueAsync(
        IDirectorySource source, RestoreRequest wanted, DirectoryContent content, RequestProgress progress, RequestState? newest, CancellationToken cancellationToken)
    {
        var state = newest?.Request.Id == progress.Request ? newest : await requests.FindAsync(source.Name, progress.Request, cancellationToken);
        if (state is null)
        {
            throw new SourceException(
                $"'{new RequestWork(Require(wanted)).Path}' says that request {progress.Request} is being carried out, and the repository in {repository.Description} does not have it. "
                + "Nothing was done. Do the settings of Storage point where it was requested?",
                isPermanent: true);
        }

        var isSuperseded = newest is { Ended: null } && newest.Request.Id != progress.Request && (newest.BegunBy is null || newest.BegunBy == agent.Instance);
        return state.Ended switch
        {
            { End: RequestEnd.Withdrawn } when progress.Phase != RequestPhase.Restored && !isSuperseded => new BootstrapPlan(
                BootstrapAction.PutDataBack,
                $"Request {progress.Request} was withdrawn while it was carried out: what was moved aside comes back.",
                Request: state.Request) { Progress = progress },
            _ when isSuperseded && progress.Phase != RequestPhase.Restored => await ForRequestAsync(
                source, wanted, content, newest!.Request, progress with { Request = newest.Request.Id }, cancellationToken),
            _ => await ForRequestAsync(source, wanted, content, state.Request, progress, cancellationToken),
        };
    }

    /// <summary>Proved before anything is moved; the plan that is done is made when the directory is empty.</summary>
    private static async Task<BootstrapPlan> ForRequestAsync(
        IDirectorySource source, RestoreRequest wanted, DirectoryContent content, StandingRequest request, RequestProgress? progress, CancellationToken cancellationToken)
    {
        var words = $"Request {request.Id} of {request.By} wants {source.Name} as of {request.To ?? "latest"}";
        if (progress?.Phase == RequestPhase.Restored || (progress?.Phase == RequestPhase.Restoring && content.Kind == DirectoryKind.Data))
        {
            return new BootstrapPlan(BootstrapAction.CarryOutRequest, $"{words}: it is restored, and the repository is told.", Request: request) { Progress = progress };
        }

        var isOver = content.Kind is DirectoryKind.Data or DirectoryKind.Strange;
        var proof = await source.PlanRestoreAsync(Asked(wanted, request) with { TargetDirectory = isOver ? Require(wanted) + ".planned" : Require(wanted) }, cancellationToken);
        return new BootstrapPlan(
            BootstrapAction.CarryOutRequest,
            isOver ? $"{words}: {content.Words} in '{Require(wanted)}' is moved aside." : $"{words}.",
            proof,
            request) { Progress = progress };
    }

    private static RestoreRequest Asked(RestoreRequest wanted, StandingRequest request) => wanted with { To = request.To, BackupId = request.Backup };

    private static async Task<BootstrapOutcome> RestoreAsync(IDirectorySource source, RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var outcome = await source.RestoreAsync(plan, progress, cancellationToken);
        return new BootstrapOutcome(BootstrapAction.Restore, $"Restored {plan.Source} from backup {plan.BackupId} to {plan.Target}.", plan, outcome.Notes);
    }

    private async Task<BootstrapOutcome> CarryOutAsync(
        IDirectorySource source, RestoreRequest wanted, BootstrapPlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var directory = Require(wanted);
        var (work, aside, request) = (new RequestWork(directory), new DataAside(directory, options.KeepAside), plan.Request!);
        var at = plan.Progress ?? Begin(source, directory, aside, request);
        if (await requests.BeginAsync(request, agent.Instance, cancellationToken) is var instance && instance != agent.Instance)
        {
            throw new SourceException($"Request {request.Id} has just been begun by {instance}. Start again.", isPermanent: false);
        }

        work.Write(at);
        Reached("begun");
        if (at.Phase == RequestPhase.Moving)
        {
            aside.Move(at.Aside!);
            Reached("moved");
            at = at with { Phase = RequestPhase.Restoring };
            work.Write(at);
            Reached("restoring");
        }

        IReadOnlyList<string> notes = [];
        if (at.Phase == RequestPhase.Restoring && source.Look(directory).Kind != DirectoryKind.Data)
        {
            var restore = await source.PlanRestoreAsync(Asked(wanted, request), cancellationToken);
            notes = (await source.RestoreAsync(restore, progress, cancellationToken)).Notes;
            plan = plan with { Restore = restore };
            Reached("written");
        }

        if (at.Phase != RequestPhase.Restored)
        {
            at = at with { Phase = RequestPhase.Restored, Words = plan.Restore is { } done ? $"from backup {done.BackupId} to {done.Target}" : null };
            work.Write(at);
            Reached("restored");
        }

        var words = $"Restored {source.Name} {at.Words ?? $"as of {request.To ?? "latest"}"}, as request {request.Id} asked."
            + (at.Aside is null ? "" : $" What was there before lies in '{at.Aside}'; remove it when nobody needs it.");
        await requests.EndAsync(request, RequestEnd.CarriedOut, agent.Instance, words, cancellationToken);
        Reached("ended");
        work.Remove();
        return new BootstrapOutcome(BootstrapAction.CarryOutRequest, words, plan.Restore, notes);
    }

    private static RequestProgress Begin(IDirectorySource source, string directory, DataAside aside, StandingRequest request)
    {
        if (source.Look(directory).Kind is not (DirectoryKind.Data or DirectoryKind.Strange))
        {
            return new RequestProgress(request.Id, RequestPhase.Restoring, null);
        }

        aside.RequireMovable();
        return new RequestProgress(request.Id, RequestPhase.Moving, aside.For(request.Id));
    }

    private BootstrapOutcome PutBack(IDirectorySource source, string directory, BootstrapPlan plan)
    {
        var (progress, content) = (plan.Progress!, source.Look(directory));
        if (progress.Aside is { } aside && Directory.Exists(aside))
        {
            if (content.Kind is DirectoryKind.Data or DirectoryKind.Strange)
            {
                throw new SourceException(
                    $"Request {progress.Request} was withdrawn, but '{directory}' holds {content.Words}, and what was there before lies in '{aside}'. Nothing was changed. "
                    + $"Put the right one in its place and remove '{new RequestWork(directory).Path}'.",
                    isPermanent: true);
            }

            new DataAside(directory, options.KeepAside).PutBack(aside);
            Reached("back");
        }

        new RequestWork(directory).Remove();
        return new BootstrapOutcome(BootstrapAction.PutDataBack, $"Request {progress.Request} was withdrawn. '{directory}' holds {source.Look(directory).Words}.");
    }

    [LoggerMessage(LogLevel.Warning, "Request {Request} is carried out by {Instance}, not here.")]
    private partial void LogOthers(string request, string instance);

    [LoggerMessage(LogLevel.Warning, "Whether a restore was requested is not known: {Reason} The data in '{Directory}' are there, and the server starts with them.")]
    private partial void LogUnknown(string directory, string reason);
}
