namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>
/// Takes the replication history out of an RDB file. A server without an append-only file that starts on one with its original's <c>repl-id</c> says that it continues the
/// original's history, as a promoted replica would. The field's name is written over by one of the same length, which servers pass over as unknown.
/// </summary>
internal static class RdbHistory
{
    private const int HeaderBytes = 9;
    private const byte FieldOpcode = 0xfa;

    private static ReadOnlySpan<byte> Field => "repl-id"u8;

    private static ReadOnlySpan<byte> Hidden => "nlds-id"u8;

    /// <param name="beginning">Of the file, with all of its auxiliary fields: a few hundred bytes.</param>
    /// <returns>Whether it was changed, so that its checksum has to be.</returns>
    public static bool TryHide(Span<byte> beginning)
    {
        var at = HeaderBytes;
        while (at + 1 + 1 + Field.Length < beginning.Length && beginning[at] == FieldOpcode)
        {
            var name = beginning[(at + 1)..];
            if (name[0] == Field.Length && name.Slice(1, Field.Length).SequenceEqual(Field))
            {
                Hidden.CopyTo(name[1..]);
                return true;
            }

            if (EndOfText(beginning, at + 1) is not { } value || EndOfText(beginning, value) is not { } next)
            {
                return false;
            }

            at = next;
        }

        return false;
    }

    private static int? EndOfText(ReadOnlySpan<byte> bytes, int at)
    {
        const int compressed = 3;
        if (ReadLength(bytes, ref at) is not { } length)
        {
            return null;
        }

        if (length.Encoding == compressed)
        {
            // Its length as it is stored, its true one, and the bytes.
            length = ReadLength(bytes, ref at) ?? new RdbLength(ulong.MaxValue, -1);
            return ReadLength(bytes, ref at) is not null && length.Value < (ulong)(bytes.Length - at) ? at + (int)length.Value : null;
        }

        var count = length.Encoding >= 0 ? 1UL << length.Encoding : length.Value;
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
