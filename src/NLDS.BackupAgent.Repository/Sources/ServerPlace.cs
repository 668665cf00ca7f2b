namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>Where a server listens.</summary>
/// <param name="Host">A name, an address, or a path of this machine.</param>
public sealed record ServerPlace(string Host, int Port)
{
    public override string ToString() => Host.StartsWith('/') ? Host : Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
