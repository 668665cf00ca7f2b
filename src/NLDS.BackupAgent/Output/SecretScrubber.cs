using System.Text.Encodings.Web;
using System.Text.Json;
using NLDS.BackupAgent.Configuration;

namespace NLDS.BackupAgent.Output;

/// <summary>The last net: no configured secret leaves the process, whoever put it into a message.</summary>
internal sealed class SecretScrubber
{
    /// <summary>Shorter ones would blank ordinary words out of every message and protect nothing.</summary>
    private const int ShortestSecret = 4;

    private const int LongestWord = 32;

    private static readonly string[] ForeignSecrets = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD"];

    // Replaced as one, so that a reader never sees half of a new list.
    private volatile string[] secrets = [];

    public string Scrub(string text)
    {
        foreach (var secret in secrets)
        {
            text = text.Replace(secret, "***", StringComparison.Ordinal);
        }

        return text;
    }

    public void Learn(IConfiguration settings, IReadOnlyDictionary<string, string> environment) =>
        Learn(settings.AsEnumerable()
            .Where(setting => Secrets.IsSecret(ConfigurationPath.GetSectionKey(setting.Key)))
            .Select(setting => setting.Value)
            .Concat(ForeignSecrets.Select(environment.GetValueOrDefault)));

    /// <summary>Learns each value as it stands and as JSON and URLs would write it; the longest first, so that none is left half covered.</summary>
    public void Learn(IEnumerable<string?> values) =>
        secrets = [.. values
            .OfType<string>()
            .SelectMany(Parts)
            .Where(value => value.Length >= ShortestSecret)
            .SelectMany(value => new[]
            {
                value,
                JsonEncodedText.Encode(value).ToString(),
                JsonEncodedText.Encode(value, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString(),
                Uri.EscapeDataString(value),
            })
            .Concat(secrets)
            .Distinct()
            .OrderByDescending(value => value.Length)];

    /// <summary>One setting may hold several keys, and each may turn up alone. What is so long is no ordinary word of a pass phrase.</summary>
    private static IEnumerable<string> Parts(string value) =>
        [value, .. value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Where(part => part.Length >= LongestWord)];
}
