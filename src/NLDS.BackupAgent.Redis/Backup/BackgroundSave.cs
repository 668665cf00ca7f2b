using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>
/// A BGSAVE of our own, waited for as it must be. LASTSAVE alone tells nothing: it has a resolution of a second, moves for other people's saves and never for one that
/// fails. Somebody else's save is not adopted, because it began before we asked.
/// </summary>
internal sealed class BackgroundSave(RedisConnection connection, TimeSpan timeout, TimeProvider clock)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    /// <summary>Where to look for the file, and what it must say of itself.</summary>
    /// <param name="FileName">The server's dbfilename.</param>
    /// <param name="NotBefore">The second, by the server's clock, before which no file of this save can have been begun.</param>
    public sealed record Saved(string FileName, long NotBefore);

    /// <exception cref="SourceException">The save failed, was overtaken by a restart, or took too long.</exception>
    public async Task<Saved> RunAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var fileName = await FileNameAsync(cancellationToken);
        while (true)
        {
            var before = await WaitUntilNoneRunsAsync(began, cancellationToken);
            var second = await ServerSecondAsync(cancellationToken);
            if (await TryStartAsync(before, cancellationToken))
            {
                await WaitForOursAsync(before, second, began, cancellationToken);
                return new Saved(fileName, second);
            }
        }
    }

    private async Task<ServerInfo> WaitUntilNoneRunsAsync(long began, CancellationToken cancellationToken)
    {
        while (true)
        {
            var info = await InfoAsync(cancellationToken);
            if (info["rdb_bgsave_in_progress"] == "0")
            {
                return info;
            }

            await PauseAsync(began, "another save or copy of the server ends", cancellationToken);
        }
    }

    /// <returns>False when somebody else was quicker.</returns>
    private async Task<bool> TryStartAsync(ServerInfo before, CancellationToken cancellationToken)
    {
        try
        {
            // While the append-only file is rewritten no save can begin, but one can be put behind it.
            await (before["aof_rewrite_in_progress"] == "1"
                ? connection.AskAsync(cancellationToken, "BGSAVE", "SCHEDULE")
                : connection.AskAsync(cancellationToken, "BGSAVE"));
            return true;
        }
        catch (RedisErrorException busy) when (busy.ServerMessage.Contains("already in progress", StringComparison.Ordinal)
            || busy.ServerMessage.Contains("Another child process is active", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private async Task WaitForOursAsync(ServerInfo before, long second, long began, CancellationToken cancellationToken)
    {
        while (true)
        {
            await PauseAsync(began, "the save ends", cancellationToken);
            var now = await InfoAsync(cancellationToken);
            if (now.RunId != before.RunId)
            {
                throw new SourceException("The server was restarted while it saved. The next run tries again.", isPermanent: false);
            }

            if (now["rdb_bgsave_in_progress"] != "0")
            {
                continue;
            }

            if (now["rdb_last_bgsave_status"] != "ok")
            {
                throw new SourceException(
                    "BGSAVE failed; the server's log says why, most often a full disk or no memory to fork. With stop-writes-on-bgsave-error the server now refuses writes until a save succeeds.",
                    isPermanent: false);
            }

            var isOurs = now.Number("rdb_saves") is { } saves && before.Number("rdb_saves") is { } earlier ? saves > earlier : now.Number("rdb_last_save_time") >= second;
            if (isOurs)
            {
                return;
            }
        }
    }

    private async Task PauseAsync(long began, string until, CancellationToken cancellationToken)
    {
        if (clock.GetElapsedTime(began) > timeout)
        {
            throw new SourceException($"Waited {timeout.TotalMinutes:F0} minutes until {until}, in vain. Redis:Snapshot:SaveTimeout is the limit.", isPermanent: false);
        }

        await Task.Delay(Poll, clock, cancellationToken);
    }

    private async Task<ServerInfo> InfoAsync(CancellationToken cancellationToken)
    {
        var info = await ServerInfo.ReadAsync(connection, cancellationToken);
        return info["rdb_bgsave_in_progress"] is not null
            ? info
            : throw new SourceException("INFO does not tell how the save goes. Run ACL SETUSER USER +info +bgsave +time +config|get.", isPermanent: true);
    }

    private async Task<long> ServerSecondAsync(CancellationToken cancellationToken)
    {
        var time = await connection.AskAsync(cancellationToken, "TIME");
        return long.Parse(time.Items![0].Text, System.Globalization.CultureInfo.InvariantCulture);
    }

    private async Task<string> FileNameAsync(CancellationToken cancellationToken)
    {
        const string byDefault = "dump.rdb";
        try
        {
            var answer = await connection.AskAsync(cancellationToken, "CONFIG", "GET", "dbfilename");
            return answer.Items is { Count: 2 } pair ? pair[1].Text : byDefault;
        }
        catch (RedisErrorException denied) when (denied.Code == "NOPERM" || denied.IsUnknownCommand)
        {
            return byDefault;
        }
    }
}
