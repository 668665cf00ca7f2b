using System.Collections;

namespace NLDS.BackupAgent;

/// <summary>What the process finds around itself. Tests give their own.</summary>
internal sealed record Surroundings
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Whether a person watches <see cref="Error"/>: progress then rewrites its line.</summary>
    public bool IsTerminal { get; init; }

    public required string BinaryDirectory { get; init; }

    public required string WorkingDirectory { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public static Surroundings OfThisProcess() => new()
    {
        Out = Console.Out,
        Error = Console.Error,
        IsTerminal = !Console.IsErrorRedirected,
        BinaryDirectory = AppContext.BaseDirectory,
        WorkingDirectory = Directory.GetCurrentDirectory(),
        Environment = System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(variable => (string)variable.Key, variable => variable.Value as string ?? "", StringComparer.Ordinal),
    };
}
