using NLDS.BackupAgent.Postgres.Protocol;

namespace NLDS.BackupAgent.Postgres.Backup;

/// <summary>What the server warned of during a backup. Of damaged pages the error at the end says only that there are some; which they are, the warnings say.</summary>
internal sealed class ServerWarnings
{
    /// <summary>The server itself stops after five per file; somebody who reads a message stops sooner.</summary>
    private const int Kept = 5;

    private readonly List<string> kept = [];
    private int more;

    public void Take(PostgresNotice notice)
    {
        if (notice.Severity != "WARNING")
        {
            return;
        }

        if (kept.Count < Kept)
        {
            kept.Add(notice.Message);
        }
        else
        {
            more++;
        }
    }

    public string OrElse(string nothing) => kept.Count == 0 ? nothing + "." : string.Join("; ", kept) + (more > 0 ? $"; and {more} more." : ".");
}
