using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>
/// Finds in a WAL stream what may be said of time: "whatever was committed before this moment lies before this position". The server's messages do not say
/// that by themselves. A data message's end is the server's flush position, read before the WAL was read and the message was stamped, so commits of
/// the meantime lie behind it; but its predecessor was stamped before it. A keepalive's end is only what the WAL sender has sent, which may be
/// any amount behind (WalSndKeepalive in walsender.c); but when a second one follows without data between, the sender has looked for WAL since the first and found none.
/// </summary>
internal sealed class ServerMoments
{
    /// <summary>Pings that a slow network delivers together are answered together, without a look for WAL between; a sender that rests looks within microseconds.</summary>
    private static readonly TimeSpan Apart = TimeSpan.FromMilliseconds(100);

    private DateTimeOffset? lastSent;
    private (Lsn End, DateTimeOffset At)? quiet;

    /// <summary>The newest moment that this message proves, and the position before which everything older lies; null when it proves none.</summary>
    public (Lsn End, DateTimeOffset At)? Observe(in WalMessage message) => message.Kind switch
    {
        WalMessageKind.Data => AfterData(message),
        WalMessageKind.Keepalive => AfterKeepalive(message),
        _ => null,
    };

    private (Lsn End, DateTimeOffset At)? AfterData(in WalMessage message)
    {
        var before = lastSent;
        lastSent = message.SentAt;
        quiet = null;
        return before is { } at ? (message.ServerEnd, at) : null;
    }

    private (Lsn End, DateTimeOffset At)? AfterKeepalive(in WalMessage message)
    {
        lastSent = message.SentAt;
        var before = quiet;
        if (before is { } since && since.End == message.ServerEnd && message.SentAt - since.At < Apart)
        {
            return null;
        }

        quiet = (message.ServerEnd, message.SentAt);
        return before?.End == message.ServerEnd ? before : null;
    }
}
