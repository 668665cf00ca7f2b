using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

internal static class WalStreamReading
{
    /// <summary>Exactly the bytes between two positions; fails on a hole, an overlap or the stream's end.</summary>
    public static async Task<byte[]> ReceiveAsync(this WalStream stream, Lsn start, Lsn end, CancellationToken cancellationToken)
    {
        var received = new MemoryStream();
        while ((ulong)received.Length < end - start)
        {
            var message = await stream.ReadAsync(cancellationToken);
            if (message.Kind == WalMessageKind.Data)
            {
                message.Start.ShouldBe(start + (ulong)received.Length);
                received.Write(message.Payload.Span);
            }
            else
            {
                message.Kind.ShouldBe(WalMessageKind.Keepalive);
            }
        }

        return received.ToArray()[..(int)(end - start)];
    }
}
