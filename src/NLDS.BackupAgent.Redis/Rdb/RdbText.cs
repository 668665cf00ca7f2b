namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>Steps over a string in an RDB file when all of it is at hand: a length and so many bytes, an integer, or an LZF block. Pure.</summary>
internal static class RdbText
{
    private const int Compressed = 3;

    /// <summary>Where what follows the string at <paramref name="at"/> begins; null when that is not at hand, or when this is no string.</summary>
    public static int? End(ReadOnlySpan<byte> bytes, int at)
    {
        if (ReadLength(bytes, ref at) is not { Encoding: <= Compressed } length)
        {
            return null;
        }

        var count = length.Encoding < 0 ? length.Value : 1UL << length.Encoding;
        if (length.Encoding == Compressed)
        {
            // Its length as it is stored, its true one, and the bytes.
            if (ReadLength(bytes, ref at) is not { Encoding: < 0 } stored || ReadLength(bytes, ref at) is not { Encoding: < 0 })
            {
                return null;
            }

            count = stored.Value;
        }

        return count < (ulong)(bytes.Length - at) ? at + (int)count : null;
    }

    private static RdbLength? ReadLength(ReadOnlySpan<byte> bytes, ref int at)
    {
        var size = at < bytes.Length ? RdbLength.Size(bytes[at]) : 0;
        if (size == 0 || at + size > bytes.Length)
        {
            return null;
        }

        at += size;
        return RdbLength.Read(bytes.Slice(at - size, size));
    }
}
