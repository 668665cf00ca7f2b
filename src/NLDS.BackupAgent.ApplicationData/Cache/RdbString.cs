using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.ApplicationData.Cache;

/// <summary>
/// Reads what DUMP gives: a type, the value as an RDB file has it, two bytes of RDB version and eight of checksum (cluster.c, createDumpPayload). Only strings are
/// opened, so that a document can show them; every value goes back as its payload.
/// </summary>
internal static class RdbString
{
    private const int FooterBytes = 10;

    /// <summary>rdb.h, RDB_TYPE_….</summary>
    public static string TypeName(ReadOnlySpan<byte> payload) => payload.IsEmpty ? "unknown" : payload[0] switch
    {
        0 => "string",
        1 or 10 or 14 or 18 => "list",
        2 or 11 or 20 => "set",
        3 or 5 or 12 or 17 => "zset",
        4 or 9 or 13 or 16 or (>= 22 and <= 25) => "hash",
        15 or 19 or 21 => "stream",
        6 or 7 => "module",
        _ => "unknown",
    };

    /// <summary>The string, or null when the payload is of another type, or in a form that is not known here.</summary>
    public static byte[]? TryRead(ReadOnlySpan<byte> payload)
    {
        if (payload.Length <= FooterBytes || payload[0] != 0)
        {
            return null;
        }

        var body = payload[1..^FooterBytes];
        return body.IsEmpty ? null : (body[0] >> 6) switch
        {
            3 => (body[0] & 0x3f) switch
            {
                0 when body.Length == 2 => Digits((sbyte)body[1]),
                1 when body.Length == 3 => Digits(BinaryPrimitives.ReadInt16LittleEndian(body[1..])),
                2 when body.Length == 5 => Digits(BinaryPrimitives.ReadInt32LittleEndian(body[1..])),
                3 => Inflate(body[1..]),
                _ => null,
            },
            _ => TryLength(ref body, out var length) && body.Length == length ? body.ToArray() : null,
        };
    }

    private static byte[] Digits(int number) => Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

    private static bool TryLength(ref ReadOnlySpan<byte> body, out long length)
    {
        (length, var used) = body.IsEmpty ? (-1L, 0) : (body[0] >> 6, body[0]) switch
        {
            (0, _) => (body[0] & 0x3f, 1),
            (1, _) when body.Length >= 2 => (((body[0] & 0x3f) << 8) | body[1], 2),
            (2, 0x80) when body.Length >= 5 => (BinaryPrimitives.ReadUInt32BigEndian(body[1..]), 5),
            (2, 0x81) when body.Length >= 9 => (BinaryPrimitives.ReadInt64BigEndian(body[1..]), 9),
            _ => (-1L, 0),
        };
        body = body[used..];
        return length >= 0;
    }

    /// <summary>LZF (lzf_d.c): runs of literals, and references to what was written before.</summary>
    private static byte[]? Inflate(ReadOnlySpan<byte> body)
    {
        if (!TryLength(ref body, out var compressed) || !TryLength(ref body, out var length) || body.Length != compressed || length > CacheConnection.LargestBulkBytes)
        {
            return null;
        }

        var text = new byte[length];
        var written = 0;
        for (var i = 0; i < body.Length;)
        {
            int control = body[i++];
            if (control < 32)
            {
                var count = control + 1;
                if (i + count > body.Length || written + count > text.Length)
                {
                    return null;
                }

                body.Slice(i, count).CopyTo(text.AsSpan(written));
                (i, written) = (i + count, written + count);
                continue;
            }

            var run = control >> 5;
            if (i + (run == 7 ? 2 : 1) > body.Length)
            {
                return null;
            }

            run = run == 7 ? run + body[i++] + 2 : run + 2;
            var from = written - ((control & 0x1f) << 8) - body[i++] - 1;
            if (from < 0 || written + run > text.Length)
            {
                return null;
            }

            // The two may overlap, so byte by byte.
            for (; run > 0; run--)
            {
                text[written++] = text[from++];
            }
        }

        return written == text.Length ? text : null;
    }
}
