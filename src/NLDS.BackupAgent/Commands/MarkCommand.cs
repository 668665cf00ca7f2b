using System.CommandLine;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>backup mark NAME</c>: one recovery point in all sources, now.</summary>
internal static class MarkCommand
{
    public static Command Create(CommandContext context)
    {
        var name = new Argument<string>("NAME") { Description = "What it is called: restore … --to mark:NAME" };
        var remove = new Option<bool>("--remove") { Description = "Forget this mark; no backup is removed" };
        var json = CommandContext.JsonOption();
        var command = new Command("mark", "Mark this moment in all enabled sources at once") { name, remove, json };
        return context.Does(command, async (session, parse, cancellationToken) =>
        {
            var marks = session.Services.GetRequiredService<RecoveryMarks>();
            var wanted = parse.GetRequiredValue(name);
            if (parse.GetValue(remove))
            {
                session.Out.WriteLine(await marks.RemoveAsync(wanted, cancellationToken) ? $"Mark '{wanted}' is forgotten." : $"There was no mark '{wanted}'.");
                return ExitCode.Done;
            }

            List<IBackupSource> sources = [.. session.Sources.Enabled.Select(entry => entry.Source)];
            var mark = await marks.MarkAsync(wanted, sources, $"{Environment.UserName}@{Environment.MachineName}", isScheduled: false, cancellationToken);
            if (parse.GetValue(json))
            {
                session.Out.WriteLine(Report.Json(mark));
                return ExitCode.Done;
            }

            foreach (var (source, place) in mark.Places)
            {
                session.Out.WriteLine($"{source}: {place.Words}");
            }

            session.Out.WriteLine($"Mark '{mark.Name}' is durable. Its places lie within {Sizes.Duration(TimeSpan.FromSeconds(mark.SkewSeconds))} of each other.");
            return ExitCode.Done;
        });
    }
}
