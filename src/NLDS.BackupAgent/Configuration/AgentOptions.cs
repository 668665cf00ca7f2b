using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Configuration;

internal enum LogFormat
{
    Text,
    Json,
}

/// <summary>The section <c>Agent</c>: the process itself.</summary>
internal sealed class AgentOptions : IValidatableObject
{
    /// <summary>Who this agent is, in its status and its logs; the host's name unless said otherwise.</summary>
    public string Instance { get; set; } = Environment.MachineName;

    /// <summary>Where metrics, health and status are served; several are separated by semicolons.</summary>
    public string Urls { get; set; } = "http://127.0.0.1:9464";

    /// <summary>
    /// The restore whose server takes the original's place, by its id, or the Redis that does, by its run id, where nobody can type <c>--adopt</c>. It stands for that one only.
    /// </summary>
    public string? Adopt { get; set; }

    /// <summary>When set, <c>/status</c> is shown only to who presents it as a bearer token; the page at <c>/</c> asks for it.</summary>
    public string? Token { get; set; }

    public LogFormat LogFormat { get; set; } = LogFormat.Text;

    public string[] UrlList => Urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (string.IsNullOrWhiteSpace(Instance))
        {
            yield return new ValidationResult("is empty. Write the name of this agent, or leave the key out to take the host's name.", [nameof(Instance)]);
        }

        if (Token is { Length: < 16 })
        {
            yield return new ValidationResult("is shorter than 16 characters. Write a longer one, for example what openssl rand -hex 24 gives, or leave the key out.", [nameof(Token)]);
        }

        if (UrlList.Length == 0 || UrlList.Any(url => !IsListenable(url)))
        {
            yield return new ValidationResult($"is '{Urls}'. Write http://, an address and a port, for example http://127.0.0.1:9464.", [nameof(Urls)]);
        }
    }

    // Kestrel's wildcards are not hosts that Uri takes.
    private static bool IsListenable(string url) =>
        Uri.TryCreate(url.Replace("//*", "//0.0.0.0", StringComparison.Ordinal).Replace("//+", "//0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out var uri)
        && uri is { Scheme: "http", Port: >= 0, AbsolutePath: "/" };
}
