using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// The part of SASLprep (RFC 4013) that passwords meet in practice: strange spaces become plain ones, invisible characters vanish, and a password with
/// control characters is used as it is, as PostgreSQL does with whatever SASLprep refuses. Compatibility normalisation needs ICU, which this process
/// leaves out; it is applied where the runtime has it.
/// </summary>
internal static class SaslPrep
{
    /// <summary>RFC 3454, table B.1: soft hyphen, joiners, variation selectors and their like.</summary>
    private static bool MapsToNothing(char letter) =>
        letter is '\u00AD' or '\u034F' or '\u1806' or (>= '\u180B' and <= '\u180D') or (>= '\u200B' and <= '\u200D') or '\u2060'
            or (>= '\uFE00' and <= '\uFE0F') or '\uFEFF';

    public static string Prepare(string password)
    {
        if (Ascii.IsValid(password) || password.Any(char.IsControl))
        {
            return password;
        }

        var prepared = new StringBuilder(password.Length);
        foreach (var letter in password.Where(letter => !MapsToNothing(letter)))
        {
            prepared.Append(char.GetUnicodeCategory(letter) == UnicodeCategory.SpaceSeparator ? ' ' : letter);
        }

        return prepared.ToString().Normalize(NormalizationForm.FormKC);
    }
}
