using System.Text;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// What a holder of the key adds to a document, behind all of its own lines: the key's id and HMAC-SHA256 over the object's name, a line feed, and those lines.
/// It always takes the same number of bytes, so it is found from the end.
/// </summary>
/// <param name="KeyId">Which key made it.</param>
/// <param name="Mac">The HMAC in lower-case hexadecimal.</param>
/// <param name="AuthenticatedBytes">How many bytes, from the document's first on, it is over.</param>
internal sealed record Authenticator(string KeyId, string Mac, int AuthenticatedBytes)
{
    private const int KeyDigits = 2 * RepositoryKey.IdBytes;
    private const int MacDigits = 64;

    /// <param name="form">How it is written.</param>
    public static byte[] Line(in Form form, RepositoryKey key, ObjectKey name, ReadOnlySpan<byte> lines) => Encoding.ASCII.GetBytes(
        form.Before + key.Id + form.Between + Convert.ToHexStringLower(key.Authenticate(name, lines)) + form.After);

    /// <summary>The authenticator at the end of <paramref name="lines"/>; null when there is none.</summary>
    public static Authenticator? Find(in Form form, ReadOnlySpan<byte> lines)
    {
        var at = lines.Length - form.Bytes;
        if (at < 0)
        {
            return null;
        }

        var line = Encoding.ASCII.GetString(lines[at..]);
        var (keyId, mac) = (line.Substring(form.Before.Length, KeyDigits), line.Substring(form.Before.Length + KeyDigits + form.Between.Length, MacDigits));
        return line == form.Before + keyId + form.Between + mac + form.After && IsHexadecimal(keyId) && IsHexadecimal(mac)
            ? new Authenticator(keyId, mac, at)
            : null;
    }

    private static bool IsHexadecimal(string digits) => digits.All(char.IsAsciiHexDigitLower);

    /// <summary>The fixed text around the key's id and the HMAC.</summary>
    internal readonly record struct Form(string Before, string Between, string After)
    {
        /// <summary>In a JSON document, before the line with its SHA-256.</summary>
        public static Form Json { get; } = new("  \"authenticator\": { \"keyId\": \"", "\", \"mac\": \"", "\" },\n");

        /// <summary>In a file of <c>sha256sum</c>, which passes over comments.</summary>
        public static Form Checksum { get; } = new("# authenticator ", " ", "\n");

        public int Bytes => Before.Length + KeyDigits + Between.Length + MacDigits + After.Length;
    }
}
