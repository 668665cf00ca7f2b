namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>Where a server listens: a name or an address and a port, or the absolute path of a Unix socket.</summary>
internal readonly record struct ServerAddress(string Host, int Port)
{
    public bool IsUnixSocket => Host.StartsWith('/');

    public override string ToString() => IsUnixSocket ? Host : Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
