using System.CommandLine;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Telemetry;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>backup SOURCE|all</c>: one backup now; its id is what standard output says.</summary>
internal static class BackupCommand
{
    private const string All = "all";

    public static Command Create(CommandContext context)
    {
        var source = new Argument<string>("SOURCE") { Description = $"{string.Join(", ", context.SourceNames.Append(All))}" };
        source.AcceptOnlyFromAmong([.. context.SourceNames, All]);
        var json = CommandContext.JsonOption();
        var command = new Command("backup", "Take one backup now and print its id") { source, context.Adopt, json, MarkCommand.Create(context) };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var entries = Chosen(session.Sources, parse.GetRequiredValue(source));
            return await TakeAsync(session, entries, parse.GetValue(json), cancellationToken);
        });
    }

    private static List<SourceEntry> Chosen(SourceCatalog sources, string name)
    {
        if (name != All)
        {
            var entry = sources.RequireEnabled(name);
            return entry.Snapshot is not null ? [entry] : throw new UsageException($"The source '{name}' has only a log, which the agent backs up as it grows.");
        }

        var entries = sources.Enabled.Where(entry => entry.Snapshot is not null).ToList();
        return entries.Count > 0 ? entries : throw new UsageException("No source is enabled. Set Enabled to true in a source's section.");
    }

    /// <summary>A source that fails does not keep the next one from its backup; the worst failure is the exit code.</summary>
    private static async Task<int> TakeAsync(CommandSession session, List<SourceEntry> entries, bool asJson, CancellationToken cancellationToken)
    {
        var backups = new List<BackupSummary>();
        var failures = new List<BackupDocument.Failed>();
        var exit = ExitCode.Done;
        foreach (var entry in entries)
        {
            try
            {
                var backup = await AgentTraces.SpanAsync("backup", entry.Name, () => entry.Snapshot!.TakeAsync(session.Progress, cancellationToken));
                session.Progress.End();
                backups.Add(BackupSummary.Of(backup));
                Tell(session, backups[^1], asJson);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                session.Progress.End();
                var failure = Failure.Of(exception);
                failures.Add(new(entry.Name, failure.Message));
                (failure with { Message = $"{entry.Name}: {failure.Message}" }).WriteTo(session.Error);
                exit = Math.Max(exit, failure.ExitCode);
            }
        }

        if (asJson)
        {
            session.Out.WriteLine(Report.Json(new BackupDocument(backups, failures)));
        }

        return exit;
    }

    private static void Tell(CommandSession session, BackupSummary backup, bool asJson)
    {
        if (asJson)
        {
            return;
        }

        if (backup.UnchangedAt is not null)
        {
            session.Error.WriteLine($"{backup.Source}: unchanged since backup {backup.Id}; no new one was taken.");
            session.Out.WriteLine(backup.Id);
            return;
        }

        foreach (var omission in backup.Omissions)
        {
            session.Error.WriteLine($"{backup.Source}: the backup is partial: {omission}");
        }

        session.Error.WriteLine(
            $"{backup.Source}: {Sizes.Bytes(backup.ContentBytes)} ({Sizes.Bytes(backup.StoredBytes)} stored) in {Sizes.Duration(backup.Ended - backup.Began)}.");
        session.Out.WriteLine(backup.Id);
    }
}
