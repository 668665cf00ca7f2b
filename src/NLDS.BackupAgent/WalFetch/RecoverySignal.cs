namespace NLDS.BackupAgent.WalFetch;

/// <summary>
/// The file by which a server is told to recover (manual, 26.3.4 and 27.2.4). The server removes it when it is done, so where one was seen, its absence is the
/// end. Where none was, somebody else asks.
/// </summary>
/// <param name="walDirectory">The server's pg_wal.</param>
internal sealed class RecoverySignal(string walDirectory)
{
    private readonly string[] files =
        [.. from name in (string[])["recovery.signal", "standby.signal"] select Path.Combine(Path.GetDirectoryName(walDirectory) ?? "/", name)];

    private bool seen;

    public bool IsOver()
    {
        var present = files.Any(File.Exists);
        seen |= present;
        return seen && !present;
    }
}
