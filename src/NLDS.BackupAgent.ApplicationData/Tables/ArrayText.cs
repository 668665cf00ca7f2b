using System.Buffers;
using System.Text.Json;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>
/// PostgreSQL's text of an array (<c>{a,"b,c",NULL}</c>, nested for several dimensions) as a JSON list, and back. Arrays whose bounds do not begin at 1
/// (<c>[0:1]={…}</c>) have no list that says so, and stay text.
/// </summary>
internal static class ArrayText
{
    /// <summary>PostgreSQL's own limit (MAXDIM).</summary>
    private const int MostDimensions = 6;

    /// <exception cref="InvalidDataException">It ends in the middle of an element.</exception>
    public static void WriteJson(ReadOnlySpan<byte> text, bool ofNumbers, IBufferWriter<byte> target)
    {
        Span<byte> element = text.Length <= 1024 ? stackalloc byte[1024] : new byte[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case (byte)'{':
                    target.Write("["u8);
                    break;
                case (byte)'}':
                    target.Write("]"u8);
                    break;
                case (byte)',':
                    target.Write(", "u8);
                    break;
                case (byte)'"':
                    var length = 0;
                    for (i++; At(text, i) != '"'; i++)
                    {
                        element[length++] = text[i] == '\\' ? At(text, ++i) : text[i];
                    }

                    CopyRow.WriteString(element[..length], target);
                    break;
                default:
                    var end = text[i..].IndexOfAny((byte)',', (byte)'}');
                    if (end < 0)
                    {
                        throw Unfinished();
                    }

                    WriteBare(text.Slice(i, end), ofNumbers, target);
                    i += end - 1;
                    break;
            }
        }
    }

    /// <param name="reader">At the list's beginning; at its end afterwards.</param>
    /// <exception cref="JsonException">It is nested deeper than an array can be.</exception>
    public static void WriteArray(ref Utf8JsonReader reader, IBufferWriter<byte> target) => WriteArray(ref reader, target, 1);

    private static void WriteArray(ref Utf8JsonReader reader, IBufferWriter<byte> target, int dimension)
    {
        if (dimension > MostDimensions)
        {
            throw new JsonException($"a list is nested deeper than the {MostDimensions} dimensions of an array");
        }

        target.Write("{"u8);
        var isFirst = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            target.Write(isFirst ? ""u8 : ","u8);
            isFirst = false;
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    WriteArray(ref reader, target, dimension + 1);
                    break;
                case JsonTokenType.Null:
                    target.Write("NULL"u8);
                    break;
                case JsonTokenType.String:
                    WriteQuoted(ref reader, target);
                    break;
                default:
                    target.Write(reader.ValueSpan);
                    break;
            }
        }

        target.Write("}"u8);
    }

    private static byte At(ReadOnlySpan<byte> text, int place) => place < text.Length ? text[place] : throw Unfinished();

    private static InvalidDataException Unfinished() => new("the server sent an array that ends in the middle of an element");

    private static void WriteBare(ReadOnlySpan<byte> element, bool ofNumbers, IBufferWriter<byte> target)
    {
        if (element.SequenceEqual("NULL"u8))
        {
            target.Write("null"u8);
        }
        else if (ofNumbers && element[^1] is >= (byte)'0' and <= (byte)'9')
        {
            target.Write(element);
        }
        else
        {
            CopyRow.WriteString(element, target);
        }
    }

    private static void WriteQuoted(ref Utf8JsonReader reader, IBufferWriter<byte> target)
    {
        var text = new byte[reader.ValueSpan.Length];
        var length = reader.CopyString(text);
        target.Write("\""u8);
        foreach (var letter in text.AsSpan(0, length))
        {
            target.Write(letter is (byte)'"' or (byte)'\\' ? [(byte)'\\', letter] : [letter]);
        }

        target.Write("\""u8);
    }
}
