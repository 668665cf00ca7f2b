namespace NLDS.BackupAgent.Testing.Storage;

/// <summary>How a call to a <see cref="FaultyObjectStore"/> goes wrong.</summary>
public enum Fault
{
    /// <summary>Nothing is done; an error that may pass.</summary>
    Transient,

    /// <summary>Nothing is done; an error that will not pass.</summary>
    Permanent,

    /// <summary>Nothing is done and no answer comes until the call is cancelled.</summary>
    Hang,

    /// <summary>A read or a listing delivers its first half and then an error; any other call fails as <see cref="Transient"/>.</summary>
    HalfBody,

    /// <summary>It is done, and reported as failed: the answer was lost.</summary>
    LostAnswer,

    /// <summary>It is reported as failed, and done behind some of the calls that follow: the request was still on its way. Reads fail as <see cref="Transient"/>.</summary>
    Late,

    /// <summary>A listing does not show the objects that were put last. Any other call is as it should be.</summary>
    Stale,
}
