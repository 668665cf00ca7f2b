using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Testing.Sweeps;

/// <summary>How a sweep breaks an operation at one of its calls to the store.</summary>
public enum Way
{
    /// <summary>The call fails and has done nothing.</summary>
    Error,

    /// <summary>The call is done, and its answer is lost: what a time-out means at its worst.</summary>
    LostAnswer,

    /// <summary>The call fails, and takes effect behind some of those that follow.</summary>
    Late,

    /// <summary>A body or a listing breaks off in the middle.</summary>
    HalfBody,

    /// <summary>This call and the next ones are refused, as by a store that answers 503.</summary>
    Storm,

    /// <summary>From this call on, for a while, listings do not show what was put last.</summary>
    StaleListing,

    /// <summary>From this call on the store refuses whoever asks.</summary>
    WrongCredentials,

    /// <summary>The store does not answer, and somebody stops the operation.</summary>
    Stopped,

    /// <summary>The process dies before the call has reached the store.</summary>
    DeathBefore,

    /// <summary>The process dies when the call has taken effect, before its answer.</summary>
    DeathAfter,
}

public static class Ways
{
    /// <summary>More than any operation's own attempts.</summary>
    private const int StormCalls = 6;

    private const int StaleCalls = 10;

    public static IReadOnlyList<Way> All { get; } = Enum.GetValues<Way>();

    /// <summary>No call from here on is answered.</summary>
    public static bool IsForEver(this Way way) => way is Way.WrongCredentials or Way.DeathBefore or Way.DeathAfter;

    /// <summary>Whoever runs the operation gives it up at this call.</summary>
    internal static bool EndsIt(this Way way) => way is Way.Stopped or Way.DeathBefore or Way.DeathAfter;

    /// <summary>What becomes of a call when the one numbered <paramref name="at"/> is broken.</summary>
    internal static Fault? Of(this Way way, int call, int at) => way switch
    {
        Way.Error when call == at => Fault.Transient,
        Way.LostAnswer when call == at => Fault.LostAnswer,
        Way.Late when call == at => Fault.Late,
        Way.HalfBody when call == at => Fault.HalfBody,
        Way.Storm when call >= at && call < at + StormCalls => Fault.Transient,
        Way.StaleListing when call >= at && call < at + StaleCalls => Fault.Stale,
        Way.WrongCredentials when call >= at => Fault.Permanent,
        Way.Stopped when call == at => Fault.Hang,
        Way.DeathAfter when call == at => Fault.LostAnswer,
        Way.DeathBefore or Way.DeathAfter when call >= at => Fault.Transient,
        _ => null,
    };
}
