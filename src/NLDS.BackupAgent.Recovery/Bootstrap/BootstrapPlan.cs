using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Bootstrap;

/// <summary>What the start of a server's pod calls for.</summary>
public enum BootstrapAction
{
    /// <summary>There are data: the server goes on with them.</summary>
    KeepData,

    /// <summary>There are no data, and nothing was ever stored: the server begins a new life.</summary>
    LetInitialise,

    /// <summary>There are no data here, but in the repository.</summary>
    Restore,

    /// <summary>Somebody requested a restore.</summary>
    CarryOutRequest,

    /// <summary>A request was withdrawn while it was carried out: the data that were moved aside come back.</summary>
    PutDataBack,
}

/// <summary>A decision, before anything is done.</summary>
/// <param name="Words">Why, in a sentence.</param>
/// <param name="Restore">What would be restored; null where nothing is.</param>
/// <param name="Request">The request that is carried out or given up.</param>
public sealed record BootstrapPlan(BootstrapAction Action, string Words, RestorePlan? Restore = null, StandingRequest? Request = null)
{
    /// <summary>How far the request has come here; null before its first step.</summary>
    internal RequestProgress? Progress { get; init; }
}

/// <summary>What was done.</summary>
/// <param name="Words">In a sentence.</param>
public sealed record BootstrapOutcome(BootstrapAction Action, string Words, RestorePlan? Restore = null, IReadOnlyList<string>? Notes = null);
