namespace NLDS.BackupAgent.Testing;

/// <summary>What kind of PostgreSQL server a test wants.</summary>
public sealed record PostgresServerOptions
{
    /// <summary>14 to 18. 15 is the system's own with all its tools; the others have only initdb, pg_ctl and postgres.</summary>
    public int Major { get; init; } = 15;

    /// <summary>1 MB makes segments turn over quickly.</summary>
    public int WalSegmentMegabytes { get; init; } = 16;

    public bool DataChecksums { get; init; }

    /// <summary>Lines of postgresql.conf on top of the fixture's own. A test that does not crash the machine may set fsync off.</summary>
    public IReadOnlyDictionary<string, string> ExtraSettings { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<string> InitdbArgs { get; init; } = [];

    /// <summary>The server's certificate, which turns ssl on; see <see cref="TestCertificates"/>.</summary>
    public TestCertificates? Certificates { get; init; }

    /// <summary>How the role <see cref="PostgresServer.BackupRole"/> proves itself: trust, password, md5, scram-sha-256 or cert.</summary>
    public string AuthMethod { get; init; } = "scram-sha-256";

    /// <summary>host, hostssl or hostnossl: the connections that the role may use over TCP.</summary>
    public string HostKind { get; init; } = "host";
}
