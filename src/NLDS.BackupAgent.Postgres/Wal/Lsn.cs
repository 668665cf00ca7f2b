using System.Buffers;
using System.Globalization;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>
/// A log sequence number: a byte position in the write-ahead log. Written as PostgreSQL writes it, two hexadecimal halves without padding:
/// <c>16/B374D848</c>. Arithmetic is checked, because a wrapped position that reaches the server would release WAL that nobody has.
/// </summary>
internal readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary>PostgreSQL's InvalidXLogRecPtr: no WAL is ever at 0/0.</summary>
    public static readonly Lsn Invalid;

    /// <summary>The parser itself passes over white space and zeros (U+0000).</summary>
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789ABCDEFabcdef");

    public bool IsValid => Value != 0;

    /// <exception cref="FormatException">The text is not an LSN.</exception>
    public static Lsn Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out var lsn) ? lsn : throw new FormatException($"'{text}' is not an LSN; expected two hexadecimal numbers such as 16/B374D848.");

    /// <summary>Takes what pg_lsn_in takes: one to eight hexadecimal digits of either case on each side of the slash, and nothing around them.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Lsn lsn)
    {
        lsn = default;
        var slash = text.IndexOf('/');
        if (slash < 0 || !TryParseHalf(text[..slash], out var high) || !TryParseHalf(text[(slash + 1)..], out var low))
        {
            return false;
        }

        lsn = new Lsn(((ulong)high << 32) | low);
        return true;
    }

    public static Lsn Min(Lsn left, Lsn right) => left <= right ? left : right;

    public static Lsn Max(Lsn left, Lsn right) => left >= right ? left : right;

    public static Lsn operator +(Lsn lsn, ulong bytes) => new(checked(lsn.Value + bytes));

    public static Lsn operator -(Lsn lsn, ulong bytes) => new(checked(lsn.Value - bytes));

    /// <summary>The bytes between two positions.</summary>
    /// <exception cref="OverflowException"><paramref name="start"/> is beyond <paramref name="end"/>.</exception>
    public static ulong operator -(Lsn end, Lsn start) => checked(end.Value - start.Value);

    public static bool operator <(Lsn left, Lsn right) => left.Value < right.Value;

    public static bool operator >(Lsn left, Lsn right) => left.Value > right.Value;

    public static bool operator <=(Lsn left, Lsn right) => left.Value <= right.Value;

    public static bool operator >=(Lsn left, Lsn right) => left.Value >= right.Value;

    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(uint)(Value >> 32):X}/{(uint)Value:X}");

    private static bool TryParseHalf(ReadOnlySpan<char> digits, out uint half)
    {
        half = 0;
        return digits.Length is >= 1 and <= 8
            && !digits.ContainsAnyExcept(Digits)
            && uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out half);
    }
}
