using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>The Prometheus text format, version 0.0.4. Names are written as they are: no unit and no suffix is added, because rules name them letter for letter.</summary>
internal sealed class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder text = new();

    /// <summary>Whether a client that sends this Accept header takes plain text; without one it takes anything. OpenMetrics is not written.</summary>
    public static bool IsWanted(IEnumerable<string?> accept)
    {
        var ranges = accept.SelectMany(header => (header ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).ToList();
        return ranges.Count == 0 || ranges.Exists(range => range.Split(';')[0].Trim() is "text/plain" or "text/*" or "*/*" && !range.Contains("q=0;", StringComparison.Ordinal) && !range.EndsWith("q=0", StringComparison.Ordinal));
    }

    public void Family(string name, string type, string help)
    {
        text.Append("# HELP ").Append(name).Append(' ').Append(Escape(help, quotes: false)).Append('\n');
        text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
    }

    public void Sample(string name, IEnumerable<KeyValuePair<string, string>> labels, double value)
    {
        text.Append(name);
        var separator = '{';
        foreach (var (label, content) in labels)
        {
            text.Append(separator).Append(Name(label)).Append("=\"").Append(Escape(content, quotes: true)).Append('"');
            separator = ',';
        }

        text.Append(separator == ',' ? "} " : " ").Append(Number(value)).Append('\n');
    }

    /// <summary>A name with every character that the format does not know made an underscore.</summary>
    public static string Name(string name) =>
        string.Concat(name.Select((c, i) => char.IsAsciiLetter(c) || c is '_' or ':' || (i > 0 && char.IsAsciiDigit(c)) ? c : '_'));

    public static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    public override string ToString() => text.ToString();

    private static string Escape(string content, bool quotes)
    {
        var escaped = content.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return quotes ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped;
    }
}
