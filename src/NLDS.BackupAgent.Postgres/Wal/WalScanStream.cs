using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>Hands what is written to the scanner, once: pieces may overlap.</summary>
internal sealed class WalScanStream(WalScanner scanner, Lsn limit) : SinkStream
{
    private ulong fed = scanner.Position;
    private ulong position;

    public void Begin(Lsn start) => position = start.Value;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var end = Math.Min(position + (ulong)buffer.Length, limit.Value);
        if (fed >= position && fed < end)
        {
            scanner.Feed(buffer[(int)(fed - position)..(int)(end - position)]);
            fed = end;
        }

        position += (ulong)buffer.Length;
    }
}
