using System.Net;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.Lineage;

/// <summary>Where a server is, for an agent: two servers are never in one place at the same time.</summary>
/// <param name="Address">As it is configured, whichever server that leads to.</param>
/// <param name="Instance">The agent's, where the address means another server on every machine (<c>127.0.0.1</c>); null otherwise.</param>
/// <param name="Directory">Where the server keeps its data (CONFIG GET dir); null where the user may not ask.</param>
internal sealed record ServerPlace(string Address, string? Instance, string? Directory)
{
    public static ServerPlace Of(ServerAddress address, string instance, string? directory) => new(
        address.IsUnixSocket ? address.Host : address.ToString().ToLowerInvariant(),
        address.IsUnixSocket || address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(address.Host, out var ip) && IPAddress.IsLoopback(ip)) ? instance : null,
        directory);

    /// <summary>A directory that is not known is like any.</summary>
    public bool IsSame(ServerPlace other) =>
        Address == other.Address && Instance == other.Instance && (Directory == other.Directory || Directory is null || other.Directory is null);

    public override string ToString() => $"{Address}{(Directory is null ? "" : $", directory {Directory}")}{(Instance is null ? "" : $", beside agent {Instance}")}";
}
