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

    /// <summary>A read delivers half of the body and then an error; any other call fails as <see cref="Transient"/>.</summary>
    HalfBody,

    /// <summary>It is done, and reported as failed: the answer was lost.</summary>
    LostAnswer,
}
