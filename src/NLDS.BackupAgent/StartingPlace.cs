using System.Collections;

namespace NLDS.BackupAgent;

/// <summary>Where and with what a process was started. It is cheap to ask for; the rest of the <see cref="Surroundings"/> is not.</summary>
internal sealed record StartingPlace
{
    public required string BinaryDirectory { get; init; }

    public required string WorkingDirectory { get; init; }

    public required string TemporaryDirectory { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public static StartingPlace OfThisProcess()
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
        {
            environment[(string)variable.Key] = variable.Value as string ?? "";
        }

        return new StartingPlace
        {
            BinaryDirectory = AppContext.BaseDirectory,
            WorkingDirectory = Directory.GetCurrentDirectory(),
            TemporaryDirectory = Path.GetTempPath(),
            Environment = environment,
        };
    }
}
