namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>Who an agent is, for those who meet its lease.</summary>
/// <param name="Instance">The name it was given.</param>
/// <param name="Machine">The host's name.</param>
/// <param name="Process">Its process.</param>
public sealed record AgentIdentity(string Instance, string Machine, ProcessIdentity Process)
{
    public static AgentIdentity OfThisProcess(string instance) => new(instance, Environment.MachineName, ProcessIdentity.OfThisProcess);
}
