using System.Buffers;
using System.Text.Json;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>
/// PostgreSQL's text of an array (<c>{a,"b,c",NULL}</c>, nested for several dimensions) as a JSON list, and back. Arrays whose bounds do not begin at 1
/// (<c>[0:1]={…}</c>) have no list that says so, and stay text.
/// </summary>
internal static class ArrayText
{
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
                    for (i++; text[i] != '"'; i++)
                    {
                        element[length++] = text[i] == '\\' ? text[++i] : text[i];
                    }

                    CopyRow.WriteString(element[..length], target);
                    break;
                default:
                    var end = text[i..].IndexOfAny((byte)',', (byte)'}');
                    WriteBare(text.Slice(i, end), ofNumbers, target);
                    i += end - 1;
                    break;
            }
        }
    }

    /// <param name="reader">At the list's beginning; at its end afterwards.</param>
    public static void WriteArray(ref Utf8JsonReader reader, IBufferWriter<byte> target)
    {
        target.Write("{"u8);
        var isFirst = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            target.Write(isFirst ? ""u8 : ","u8);
            isFirst = false;
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    WriteArray(ref reader, target);
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
