using System.CommandLine;
using System.Reflection;
using NLDS.BackupAgent.Output;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>version</c>; needs no configuration.</summary>
internal static class VersionCommand
{
    public static string Version { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static Command Create(CommandContext context)
    {
        var json = CommandContext.JsonOption();
        var command = new Command("version", "Print the version") { json };
        command.SetAction(parse => context.Around.Out.WriteLine(parse.GetValue(json)
            ? Report.Json(new VersionDocument(Version, Environment.Version.ToString()))
            : Version));
        return command;
    }
}
