namespace NLDS.BackupAgent.Redis.CommandStream;

/// <summary>What a command in the stream means to somebody who keeps it.</summary>
internal enum CommandKind
{
    /// <summary>Changes data, or may: everything that is not named here.</summary>
    Write,

    /// <summary>PING and REPLCONF: the link's own traffic. It counts in offsets and is never replayed.</summary>
    Link,

    /// <summary>REPLCONF GETACK: the server wants to know at once how far we are.</summary>
    AcknowledgementRequest,

    /// <summary>PUBLISH and SPUBLISH reach subscribers and change nothing.</summary>
    Message,

    Select,

    Multi,

    Exec,

    /// <summary>FLUSHALL and FLUSHDB.</summary>
    Flush,
}
