using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Kubernetes.Objects;

/// <summary>
/// Writes JSON values as YAML that people can read and that every YAML 1.1 and 1.2 parser reads the same: words that any of them would take for something else are quoted,
/// texts of several lines stand as they are.
/// </summary>
internal sealed class YamlText
{
    private static readonly SearchValues<char> Plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./@+-: =");

    /// <summary>What YAML 1.1 takes for a boolean or for nothing.</summary>
    private static readonly HashSet<string> Words = new(StringComparer.OrdinalIgnoreCase) { "true", "false", "yes", "no", "on", "off", "y", "n", "null" };

    private readonly StringBuilder text = new();

    public static byte[] Document(JsonObject value)
    {
        var yaml = new YamlText();
        yaml.WriteMap(value, 0, false);
        return Encoding.UTF8.GetBytes(yaml.text.ToString());
    }

    private void WriteMap(JsonObject map, int indent, bool isInItem)
    {
        foreach (var (key, value) in map)
        {
            if (!isInItem)
            {
                text.Append(' ', indent);
            }

            isInItem = false;
            WriteScalar(key, indent, isKey: true);
            text.Append(':');
            WriteValue(value, indent);
        }
    }

    private void WriteValue(JsonNode? value, int indent)
    {
        switch (value)
        {
            case JsonObject { Count: > 0 } map:
                text.Append('\n');
                WriteMap(map, indent + 2, false);
                break;
            case JsonArray { Count: > 0 } list:
                text.Append('\n');
                WriteList(list, indent);
                break;
            default:
                text.Append(' ');
                WriteLeaf(value, indent);
                break;
        }
    }

    private void WriteList(JsonArray list, int indent)
    {
        foreach (var item in list)
        {
            text.Append(' ', indent).Append('-');
            switch (item)
            {
                case JsonObject { Count: > 0 } map:
                    text.Append(' ');
                    WriteMap(map, indent + 2, true);
                    break;
                case JsonArray { Count: > 0 } inner:
                    text.Append('\n');
                    WriteList(inner, indent + 2);
                    break;
                default:
                    text.Append(' ');
                    WriteLeaf(item, indent);
                    break;
            }
        }
    }

    private void WriteLeaf(JsonNode? value, int indent)
    {
        switch (value)
        {
            case null:
                text.Append("null\n");
                break;
            case JsonObject:
                text.Append("{}\n");
                break;
            case JsonArray:
                text.Append("[]\n");
                break;
            case var leaf when leaf.GetValueKind() == JsonValueKind.String:
                WriteScalar(leaf.GetValue<string>(), indent, isKey: false);
                break;
            default:
                text.Append(value.ToJsonString()).Append('\n');
                break;
        }
    }

    private void WriteScalar(string value, int indent, bool isKey)
    {
        if (IsPlain(value))
        {
            text.Append(value);
        }
        else if (!isKey && IsBlock(value))
        {
            WriteBlock(value, indent + 2);
            return;
        }
        else
        {
            WriteQuoted(value);
        }

        if (!isKey)
        {
            text.Append('\n');
        }
    }

    private static bool IsPlain(string value) =>
        value.Length > 0
        && (char.IsAsciiLetter(value[0]) || value[0] == '/')
        && !value.AsSpan().ContainsAnyExcept(Plain)
        && value[^1] is not (':' or ' ')
        && !value.Contains(": ", StringComparison.Ordinal)
        && !Words.Contains(value);

    /// <summary>Whether it comes back the same from a literal block.</summary>
    private static bool IsBlock(string value)
    {
        if (!value.Contains('\n', StringComparison.Ordinal) || value[0] is ' ' or '\t' or '\n')
        {
            return false;
        }

        foreach (var c in value)
        {
            if (IsSpecial(c) && c is not ('\n' or '\t'))
            {
                return false;
            }
        }

        foreach (var line in value.AsSpan().EnumerateLines())
        {
            if (line.Length > 0 && line.IsWhiteSpace())
            {
                return false;
            }
        }

        return true;
    }

    private void WriteBlock(string value, int indent)
    {
        var ends = value.Length - value.AsSpan().TrimEnd('\n').Length;
        text.Append('|').Append(ends switch { 0 => "-", 1 => "", _ => "+" }).Append('\n');
        var body = ends == 0 ? value : value[..^1];
        foreach (var line in body.Split('\n'))
        {
            if (line.Length > 0)
            {
                text.Append(' ', indent).Append(line);
            }

            text.Append('\n');
        }
    }

    private void WriteQuoted(string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\t' => text.Append("\\t"),
                '\r' => text.Append("\\r"),
                _ when IsSpecial(c) => text.Append("\\u").Append(((int)c).ToString("X4", CultureInfo.InvariantCulture)),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }

    /// <summary>Not printable in YAML, or a line's end to some parsers.</summary>
    private static bool IsSpecial(char c) => c is < ' ' or (>= '\u007f' and <= '\u00a0') or '\u2028' or '\u2029' or '\ufeff' or '\ufffe' or '\uffff';
}
