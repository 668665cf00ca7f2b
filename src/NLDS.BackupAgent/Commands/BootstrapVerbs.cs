using System.CommandLine;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary>The forms of <c>restore</c> that belong to a server's start: <c>--if-empty</c>, which comes before it, and the request for it.</summary>
internal static class BootstrapVerbs
{
    internal enum Form
    {
        IfEmpty,
        AtNextStart,
        Withdraw,
    }

    /// <summary>Null when it is an ordinary restore.</summary>
    /// <exception cref="UsageException">Two that exclude each other.</exception>
    public static Form? Choose(ParseResult parse, Option<bool> ifEmpty, Option<bool> asCopy, Option<bool> atNextStart, Option<bool> withdraw)
    {
        List<(Option<bool> Option, Form Form)> said =
            [.. new[] { (ifEmpty, Form.IfEmpty), (atNextStart, Form.AtNextStart), (withdraw, Form.Withdraw) }.Where(form => parse.GetValue(form.Item1))];
        if (said.Count > 1)
        {
            throw new UsageException($"{string.Join(" and ", said.Select(form => form.Option.Name))} exclude each other. Say one.");
        }

        return parse.GetValue(asCopy) && (said.Count == 0 || said[0].Form != Form.IfEmpty)
            ? throw new UsageException("--as-copy belongs to --if-empty. An ordinary restore makes a copy anyway.")
            : said.Count == 0 ? null : said[0].Form;
    }

    public static Task<int> RunAsync(
        CommandSession session, string source, Form form, RestoreRequest request, bool planOnly, bool asJson, CancellationToken cancellationToken)
    {
        var directories = session.Sources.Require(source).Snapshot as IDirectorySource
            ?? throw new UsageException($"The source '{source}' is not restored into a server's data directory.");
        return form switch
        {
            Form.IfEmpty => BootstrapAsync(session, directories, request, planOnly, asJson, cancellationToken),
            Form.AtNextStart => RequestAsync(session, directories, request, planOnly, asJson, cancellationToken),
            _ => WithdrawAsync(session, directories, asJson, cancellationToken),
        };
    }

    private static async Task<int> BootstrapAsync(
        CommandSession session, IDirectorySource source, RestoreRequest request, bool planOnly, bool asJson, CancellationToken cancellationToken)
    {
        var bootstrap = session.Services.GetRequiredService<ServerBootstrap>();
        var plan = await bootstrap.PlanAsync(source, request, cancellationToken);
        if (planOnly)
        {
            Say(session, asJson, new BootstrapDocument(source.Name, plan.Action, plan.Words, false, plan.Request?.Id, plan.Restore?.BackupId, plan.Restore?.Target, []));
            return ExitCode.Done;
        }

        session.Error.WriteLine(plan.Words);
        var outcome = await bootstrap.RunAsync(source, request, plan, session.Progress, cancellationToken);
        session.Progress.End();
        Say(session, asJson, new BootstrapDocument(
            source.Name, outcome.Action, outcome.Words, true, plan.Request?.Id, outcome.Restore?.BackupId, outcome.Restore?.Target, outcome.Notes ?? []));
        return ExitCode.Done;
    }

    private static async Task<int> RequestAsync(
        CommandSession session, IDirectorySource source, RestoreRequest request, bool planOnly, bool asJson, CancellationToken cancellationToken)
    {
        if (request.TargetDirectory is not null || request.Options.Count > 0)
        {
            throw new UsageException("A request names --to and --backup only; where the data lie and how they are restored is said where the server starts.");
        }

        if (planOnly)
        {
            RestoreCommand.PrintPlan(await source.PlanRestoreAsync(request with { HasTarget = false }, cancellationToken), session.Out);
            return ExitCode.Done;
        }

        var requests = session.Services.GetRequiredService<StandingRequests>();
        var (written, plan) = await requests.RequestAsync(source, request, $"{Environment.UserName}@{Environment.MachineName}", cancellationToken);
        if (!asJson)
        {
            RestoreCommand.PrintPlan(plan, session.Error);
        }

        Say(session, asJson, new BootstrapDocument(
            source.Name,
            BootstrapAction.CarryOutRequest,
            $"Requested as {written.Id}. The next 'restore {source.Name} --if-empty' carries it out: restart the server's pod. To take it back: restore {source.Name} --withdraw.",
            false,
            written.Id,
            plan.BackupId,
            plan.Target,
            plan.Warnings));
        return ExitCode.Done;
    }

    private static async Task<int> WithdrawAsync(CommandSession session, IDirectorySource source, bool asJson, CancellationToken cancellationToken)
    {
        var requests = session.Services.GetRequiredService<StandingRequests>();
        if (await requests.FindNewestAsync(source.Name, cancellationToken) is not { Ended: null } standing)
        {
            throw new UsageException($"No restore of {source.Name} is requested.");
        }

        var by = session.Services.GetRequiredService<AgentIdentity>().Instance;
        var ended = await requests.EndAsync(standing.Request, RequestEnd.Withdrawn, by, $"Withdrawn by {Environment.UserName}@{Environment.MachineName}.", cancellationToken);
        if (ended.End != RequestEnd.Withdrawn)
        {
            throw new SourceException($"Request {standing.Request.Id} was carried out at {ended.EndedAt.UtcDateTime:u}: {ended.Words}", isPermanent: true);
        }

        Say(session, asJson, new BootstrapDocument(
            source.Name,
            BootstrapAction.PutDataBack,
            standing.BegunBy is { } instance
                ? $"Request {standing.Request.Id} is withdrawn. {instance} had begun it; its next start puts back what was moved aside."
                : $"Request {standing.Request.Id} is withdrawn.",
            true,
            standing.Request.Id,
            null,
            null,
            []));
        return ExitCode.Done;
    }

    private static void Say(CommandSession session, bool asJson, BootstrapDocument document)
    {
        if (asJson)
        {
            session.Out.WriteLine(Report.Json(document));
            return;
        }

        foreach (var note in document.Notes)
        {
            session.Error.WriteLine($"! {note}");
        }

        session.Out.WriteLine(document.Words);
    }
}

/// <summary>What the forms of <c>restore</c> that belong to a server's start print with <c>--json</c>.</summary>
/// <param name="Done">False for a plan, and for a request, which something else carries out.</param>
internal sealed record BootstrapDocument(
    string Source, BootstrapAction Action, string Words, bool Done, string? Request, string? BackupId, string? Target, IReadOnlyList<string> Notes);
