using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Commands;

/// <summary>
/// An exception as the user meets it: words and an exit code. Only what nobody foresaw shows where it came from.
/// </summary>
internal sealed record Failure(int ExitCode, string Message, string? Trace = null)
{
    public static Failure Of(Exception exception) => exception switch
    {
        ConfigurationFaultsException faults => new(Commands.ExitCode.Usage, Listed(faults)),
        UsageException => new(Commands.ExitCode.Usage, exception.Message),
        NotRestorableException => new(Commands.ExitCode.Damage, exception.Message),
        SourceException or ObjectStoreException => new(Commands.ExitCode.Failed, exception.Message),
        OperationCanceledException => new(Commands.ExitCode.Failed, "Stopped before it was done."),
        AggregateException { InnerExceptions: [var only] } => Of(only),
        _ => new(Commands.ExitCode.Failed, $"{exception.Message} This is a defect of the program; please report it with what follows.", exception.ToString()),
    };

    public void WriteTo(TextWriter error)
    {
        error.WriteLine(Message);
        if (Trace is not null)
        {
            error.WriteLine(Trace);
        }
    }

    private static string Listed(ConfigurationFaultsException faults) =>
        $"The configuration has {(faults.Faults.Count == 1 ? "a fault" : $"{faults.Faults.Count} faults")}:"
        + string.Concat(faults.Faults.Select(fault => $"{Environment.NewLine}  {fault}"));
}
