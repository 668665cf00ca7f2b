using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent;

/// <summary>What the process finds around itself. Tests give their own.</summary>
internal sealed record Surroundings
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>What a person answers; null where nobody is there to be asked.</summary>
    public TextReader? In { get; init; }

    /// <summary>Whether a person watches <see cref="Error"/>: progress then rewrites its line.</summary>
    public bool IsTerminal { get; init; }

    public required StartingPlace Place { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Starts this program with other arguments, to go on when this process has ended.</summary>
    public required Action<IReadOnlyList<string>> StartDetached { get; init; }

    /// <summary>What a process that was started so does first: it frees itself from the session of whoever started it.</summary>
    public required Action LeaveSession { get; init; }

    public string BinaryDirectory => Place.BinaryDirectory;

    public string WorkingDirectory => Place.WorkingDirectory;

    public IReadOnlyDictionary<string, string> Environment => Place.Environment;

    public static Surroundings OfThisProcess() => new()
    {
        Out = Console.Out,
        Error = Console.Error,
        In = Console.IsInputRedirected || Console.IsErrorRedirected ? null : Console.In,
        IsTerminal = !Console.IsErrorRedirected,
        Place = StartingPlace.OfThisProcess(),
        StartDetached = DetachedProcess.Start,
        LeaveSession = DetachedProcess.LeaveSession,
    };
}
