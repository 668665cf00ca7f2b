namespace NLDS.BackupAgent.Recovery.Bootstrap;

/// <summary><c>recovery/requests/SOURCE/ID.json</c>: the next start of the server's pod is to restore, even over existing data. Written once.</summary>
public sealed record StandingRequest
{
    /// <summary>Its second and 32 random bits: <c>20261123_140317_5f0c2a9b</c>. The newest counts.</summary>
    public required string Id { get; init; }

    public required string Source { get; init; }

    /// <summary>As for <c>--to</c>; null for latest.</summary>
    public required string? To { get; init; }

    /// <summary>The backup to begin from; null for the best one.</summary>
    public required string? Backup { get; init; }

    public required DateTimeOffset RequestedAt { get; init; }

    /// <summary>Who, as <c>user@host</c>.</summary>
    public required string By { get; init; }
}

/// <summary><c>ID.begun.json</c>: whose it is to carry out. Written once, so that of several servers one does it.</summary>
/// <param name="Instance">The agent's name there, which a pod of a StatefulSet keeps.</param>
internal sealed record BegunRequest(string Id, string Instance, DateTimeOffset BegunAt);

/// <summary>How a request came to its end.</summary>
public enum RequestEnd
{
    CarriedOut,
    Withdrawn,
}

/// <summary><c>ID.ended.json</c>: nobody carries it out any more. Written once.</summary>
/// <param name="Words">What was restored, or who withdrew it.</param>
public sealed record EndedRequest(string Id, RequestEnd End, DateTimeOffset EndedAt, string Instance, string Words);

/// <summary>What the store says of a request.</summary>
/// <param name="BegunBy">The instance that carries it out; null while none does.</param>
/// <param name="Ended">Null while it stands.</param>
public sealed record RequestState(StandingRequest Request, string? BegunBy, EndedRequest? Ended);
