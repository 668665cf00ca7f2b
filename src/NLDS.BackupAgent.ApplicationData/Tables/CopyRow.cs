using System.Buffers;
using System.Text;
using NLDS.BackupAgent.ApplicationData.Archive;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>
/// Turns one row of <c>COPY … TO STDOUT</c> (text format: fields between tabs, <c>\N</c> for NULL, backslashes before what would be taken for either) into a JSON object.
/// The server's own text of every value is kept, so that what is read back is the same value to its last digit.
/// </summary>
internal sealed class CopyRow(IReadOnlyList<ArchivedColumn> columns)
{
    private static readonly SearchValues<byte> NeedsEscape = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(control => (byte)control), (byte)'"', (byte)'\\']);

    private readonly byte[][] prefixes = [.. columns.Select((column, index) => Encoding.UTF8.GetBytes($"{(index == 0 ? "{" : ", ")}{Quoted(column.Name)}: "))];
    private readonly ArrayBufferWriter<byte> jsonTexts = new();
    private byte[] unescaped = new byte[4096];

    /// <param name="line">Without its newline.</param>
    /// <exception cref="InvalidDataException">It has not as many fields as there are columns.</exception>
    public void Write(ReadOnlySpan<byte> line, IBufferWriter<byte> target)
    {
        jsonTexts.ResetWrittenCount();
        for (var i = 0; i < columns.Count; i++)
        {
            var end = line.IndexOf((byte)'\t');
            if (end < 0 != (i == columns.Count - 1))
            {
                throw new InvalidDataException($"the server sent a row that has not {columns.Count} fields");
            }

            var field = end < 0 ? line : line[..end];
            line = end < 0 ? default : line[(end + 1)..];
            target.Write(prefixes[i]);
            WriteValue(i, field, target);
        }

        if (jsonTexts.WrittenCount > 0)
        {
            target.Write(jsonTexts.WrittenSpan);
            target.Write("}"u8);
        }

        target.Write("}"u8);
    }

    /// <summary>A JSON string.</summary>
    public static void WriteString(ReadOnlySpan<byte> text, IBufferWriter<byte> target)
    {
        target.Write("\""u8);
        while (text.IndexOfAny(NeedsEscape) is >= 0 and var special)
        {
            target.Write(text[..special]);
            WriteEscaped(text[special], target);
            text = text[(special + 1)..];
        }

        target.Write(text);
        target.Write("\""u8);
    }

    private void WriteValue(int index, ReadOnlySpan<byte> field, IBufferWriter<byte> target)
    {
        if (field.SequenceEqual("\\N"u8))
        {
            target.Write("null"u8);
            return;
        }

        var text = field.Contains((byte)'\\') ? Unescape(field) : field;
        switch (columns[index].Shape)
        {
            case ValueShape.Number when !text.IsEmpty && text[^1] is >= (byte)'0' and <= (byte)'9':
                target.Write(text);
                break;
            case ValueShape.Boolean:
                target.Write(text.SequenceEqual("t"u8) ? "true"u8 : text.SequenceEqual("f"u8) ? "false"u8 : throw new InvalidDataException("the server sent a boolean that is neither t nor f"));
                break;
            case ValueShape.Json:
                var value = text.Trim(" \t\r\n"u8);
                if (value.Length < text.Length || value.SequenceEqual("null"u8))
                {
                    NoteText(index, text);
                }

                target.Write(text);
                break;
            case ValueShape.Timestamp or ValueShape.TimestampWithZone:
                WriteTimestamp(text, target);
                break;
            case ValueShape.TextArray or ValueShape.NumberArray when text.StartsWith("{"u8):
                ArrayText.WriteJson(text, columns[index].Shape == ValueShape.NumberArray, target);
                break;
            default:
                WriteString(text, target);
                break;
        }
    }

    /// <summary>
    /// <c>2026-11-23 02:00:00.5+00</c> as <c>2026-11-23T02:00:00.500000+00:00</c>: Python's isoformat, which PostgreSQL reads too. What has no such form (infinity) stays.
    /// </summary>
    private static void WriteTimestamp(ReadOnlySpan<byte> text, IBufferWriter<byte> target)
    {
        var space = text.IndexOf((byte)' ');
        const int timeBytes = 8;
        if (space < 0 || text.Length < space + 1 + timeBytes || text.IndexOfAny(NeedsEscape) >= 0)
        {
            WriteString(text, target);
            return;
        }

        target.Write("\""u8);
        target.Write(text[..space]);
        target.Write("T"u8);
        target.Write(text.Slice(space + 1, timeBytes));
        var rest = text[(space + 1 + timeBytes)..];
        if (!rest.IsEmpty && rest[0] == '.')
        {
            var digits = rest[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') is >= 0 and var end ? end : rest.Length - 1;
            target.Write(rest[..(digits + 1)]);
            target.Write("000000"u8[Math.Min(digits, 6)..]);
            rest = rest[(digits + 1)..];
        }

        if (rest.StartsWith("+00"u8))
        {
            target.Write("+00:00"u8);
            rest = rest[3..];
        }

        // A year before Christ.
        target.Write(rest);
        target.Write("\""u8);
    }

    /// <summary>What the document itself cannot say: that it is JSON's null and not SQL's, or that there is space around it.</summary>
    private void NoteText(int index, ReadOnlySpan<byte> text)
    {
        jsonTexts.Write(jsonTexts.WrittenCount > 0 ? ", "u8 : Encoding.UTF8.GetBytes($", \"{DataSet.JsonTexts}\": {{"));
        WriteString(Encoding.UTF8.GetBytes(columns[index].Name), jsonTexts);
        jsonTexts.Write(": "u8);
        WriteString(text, jsonTexts);
    }

    private ReadOnlySpan<byte> Unescape(ReadOnlySpan<byte> field)
    {
        if (unescaped.Length < field.Length)
        {
            unescaped = new byte[field.Length];
        }

        var length = 0;
        for (var i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 1 == field.Length)
            {
                throw new InvalidDataException("the server sent a field that ends with a backslash");
            }

            unescaped[length++] = field[i] != '\\' ? field[i] : field[++i] switch
            {
                (byte)'b' => (byte)'\b',
                (byte)'f' => (byte)'\f',
                (byte)'n' => (byte)'\n',
                (byte)'r' => (byte)'\r',
                (byte)'t' => (byte)'\t',
                (byte)'v' => (byte)'\v',
                var itself => itself,
            };
        }

        return unescaped.AsSpan(0, length);
    }

    private static void WriteEscaped(byte special, IBufferWriter<byte> target)
    {
        switch (special)
        {
            case (byte)'"':
                target.Write("\\\""u8);
                break;
            case (byte)'\\':
                target.Write("\\\\"u8);
                break;
            case (byte)'\n':
                target.Write("\\n"u8);
                break;
            case (byte)'\t':
                target.Write("\\t"u8);
                break;
            default:
                const string hexadecimal = "0123456789abcdef";
                target.Write([(byte)'\\', (byte)'u', (byte)'0', (byte)'0', (byte)hexadecimal[special >> 4], (byte)hexadecimal[special & 15]]);
                break;
        }
    }

    private static string Quoted(string name)
    {
        var buffer = new ArrayBufferWriter<byte>();
        WriteString(Encoding.UTF8.GetBytes(name), buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
