using System.Buffers.Binary;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>Finds the main data of a record that refers to no blocks, as those of transactions and of restore points never do.</summary>
internal static class WalRecordData
{
    /// <summary>
    /// Enough of what follows a record's header to hold the longest main data that is read here: the origin's header (3 bytes), the top-level
    /// transaction's (5), that of long data (5) and a restore point's time and name (72).
    /// </summary>
    public const int MaximumBytes = 3 + 5 + 5 + 72;

    private const byte ShortData = 255;
    private const byte LongData = 254;
    private const byte Origin = 253;
    private const byte TopLevelTransaction = 252;

    /// <summary>The first <paramref name="wanted"/> bytes of the main data in <paramref name="body"/>; empty when they are not there.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> body, int wanted)
    {
        // Each of the four headers comes at most once, and the data's is the last of them.
        for (var headers = 0; headers < 3 && !body.IsEmpty; headers++)
        {
            switch (body[0])
            {
                case ShortData when body.Length >= 2 + wanted && body[1] >= wanted:
                    return body.Slice(2, wanted);
                case LongData when body.Length >= 5 + wanted && BinaryPrimitives.ReadUInt32LittleEndian(body[1..]) >= wanted:
                    return body.Slice(5, wanted);
                case Origin when body.Length > 3:
                    body = body[3..];
                    break;
                case TopLevelTransaction when body.Length > 5:
                    body = body[5..];
                    break;
                default:
                    return [];
            }
        }

        return [];
    }
}
