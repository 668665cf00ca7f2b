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

            if (RdbText.End(beginning, at + 1) is not { } value || RdbText.End(beginning, value) is not { } next)
            {
                return false;
            }

            at = next;
        }

        return false;
    }
}
