using System.Collections.Concurrent;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NLDS.BackupAgent.Deployment.Tests.Security;

/// <summary>All that came out of an agent, by where it came out, and which secrets are in it in whatever spelling.</summary>
internal sealed class Evidence
{
    private readonly ConcurrentQueue<(string Where, byte[] What)> all = new();

    public int Count => all.Count;

    public void Add(string where, string what) => Add(where, Encoding.UTF8.GetBytes(what));

    public void Add(string where, byte[] what) => all.Enqueue((where, what));

    public bool Holds(string text) => all.Any(piece => piece.What.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0);

    public IEnumerable<string> Leaks(IReadOnlyDictionary<string, string> secrets) =>
        from secret in secrets
        from spelling in Spellings(secret.Value).Distinct()
        let bytes = Encoding.UTF8.GetBytes(spelling)
        from piece in all
        where piece.What.AsSpan().IndexOf(bytes) >= 0
        select $"{secret.Key} stands in {piece.Where}: {Around(piece.What, bytes)}";

    /// <summary>As it is, and in a connection string, where quotes are doubled; each as JSON, URLs, HTML and base64 write it.</summary>
    private static IEnumerable<string> Spellings(string secret) => ((string[])[secret, secret.Replace("\"", "\"\"", StringComparison.Ordinal)]).SelectMany(Encodings);

    private static IEnumerable<string> Encodings(string secret) =>
    [
        secret, JsonEncodedText.Encode(secret).ToString(), JsonEncodedText.Encode(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString(), Uri.EscapeDataString(secret),
        HtmlEncoder.Default.Encode(secret), Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)),
    ];

    private static string Around(byte[] what, byte[] found)
    {
        var at = what.AsSpan().IndexOf(found);
        return Encoding.UTF8.GetString(what.AsSpan(Math.Max(0, at - 80), Math.Min(what.Length, at + found.Length) - Math.Max(0, at - 80)));
    }
}
