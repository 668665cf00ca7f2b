namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// The files by which a server is told to recover (manual, 26.3.4 and 27.2.4). The server removes them when it has selected its new timeline, so a data
/// directory without one is of a server that has ended its recovery. Where no data directory is, somebody else asks.
/// </summary>
/// <param name="walDirectory">The server's pg_wal.</param>
internal sealed class RecoverySignal(string walDirectory)
{
    private readonly string data = Path.GetDirectoryName(walDirectory) ?? "/";
    private bool seen;

    public bool IsOver()
    {
        var present = Has("recovery.signal") || Has("standby.signal");
        seen |= present;
        return !present && (seen || Has("global/pg_control"));
    }

    private bool Has(string file) => File.Exists(Path.Combine(data, file));
}
