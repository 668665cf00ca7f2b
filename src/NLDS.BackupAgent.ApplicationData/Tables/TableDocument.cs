using System.Buffers;
using System.Text.Json;
using NLDS.BackupAgent.ApplicationData.Archive;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>Reads one file of a data set and writes its rows as <c>COPY … FROM STDIN</c> takes them: what <see cref="CopyRow"/> does, backwards.</summary>
internal sealed class TableDocument
{
    /// <summary>PostgreSQL's own parser gives up earlier (max_stack_depth).</summary>
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 100_000 };

    private static readonly SearchValues<byte> NeedsEscape = SearchValues.Create("\\\t\n\r"u8);

    private readonly ArchivedSet set;
    private readonly Dictionary<string, int> indexes;
    private readonly Range[] values;
    private readonly JsonTokenType[] kinds;
    private readonly bool[] isText;

    public TableDocument(ArchivedSet set)
    {
        this.set = set;
        indexes = set.Columns.Select((column, index) => (column.Name, index)).ToDictionary(pair => pair.Name, pair => pair.index);
        values = new Range[set.Columns.Count];
        kinds = new JsonTokenType[set.Columns.Count];
        isText = new bool[set.Columns.Count];
    }

    /// <summary>The number of its rows, when it is sound.</summary>
    /// <exception cref="InvalidDataException">It is not such a document.</exception>
    public long Count(ReadOnlySpan<byte> file) => Write(file, null);

    /// <param name="file">The whole file.</param>
    /// <param name="target">Gets a line for each row; null when they are only counted.</param>
    /// <returns>The number of rows.</returns>
    /// <exception cref="InvalidDataException">It is not such a document, or its own count is another.</exception>
    public long Write(ReadOnlySpan<byte> file, IBufferWriter<byte>? target)
    {
        try
        {
            var reader = new Utf8JsonReader(file, Options);
            long? said = null, found = null;
            Require(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals(set.RowsName))
                {
                    found = WriteRows(ref reader, file, target);
                }
                else if (reader.ValueTextEquals(set.CountName))
                {
                    Require(ref reader, JsonTokenType.Number);
                    said = reader.GetInt64();
                }
                else
                {
                    reader.Skip();
                }
            }

            return !reader.Read() && found is { } rows && rows == said
                ? rows
                : throw new InvalidDataException($"it has {found?.ToString() ?? "no"} rows and says that it has {said?.ToString() ?? "none"}");
        }
        catch (Exception damage) when (damage is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new InvalidDataException($"it is no JSON document of this data set ({damage.Message})", damage);
        }
    }

    private long WriteRows(ref Utf8JsonReader reader, ReadOnlySpan<byte> file, IBufferWriter<byte>? target)
    {
        long rows = 0;
        Require(ref reader, JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            ReadRow(ref reader);
            RequireWhole();
            if (target is not null)
            {
                WriteRow(file, target);
            }

            rows++;
        }

        return rows;
    }

    /// <summary>Where each value stands; what they are is written when the whole row is known.</summary>
    private void ReadRow(ref Utf8JsonReader reader)
    {
        Array.Clear(kinds);
        Array.Clear(isText);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name == DataSet.JsonTexts)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var of = indexes[reader.GetString()!];
                    reader.Read();
                    (kinds[of], isText[of], values[of]) = (reader.TokenType, true, (int)reader.TokenStartIndex..(int)reader.BytesConsumed);
                }

                continue;
            }

            if (!indexes.TryGetValue(name, out var index))
            {
                throw new JsonException($"a row has a member '{name}', which is no column");
            }

            var start = (int)reader.TokenStartIndex;
            kinds[index] = reader.TokenType;
            reader.Skip();
            values[index] = start..(int)reader.BytesConsumed;
        }
    }

    /// <summary>Every column has a value, if only null.</summary>
    private void RequireWhole()
    {
        if (Array.IndexOf(kinds, JsonTokenType.None) is >= 0 and var absent)
        {
            throw new JsonException($"a row lacks the column '{set.Columns[absent].Name}'");
        }
    }

    private void WriteRow(ReadOnlySpan<byte> file, IBufferWriter<byte> target)
    {
        for (var i = 0; i < kinds.Length; i++)
        {
            target.Write(i == 0 ? ""u8 : "\t"u8);
            WriteValue(file[values[i]], kinds[i], set.Columns[i].Shape == ValueShape.Json && !isText[i], target);
        }

        target.Write("\n"u8);
    }

    private static void WriteValue(ReadOnlySpan<byte> raw, JsonTokenType kind, bool isJson, IBufferWriter<byte> target)
    {
        if (kind == JsonTokenType.Null)
        {
            target.Write("\\N"u8);
        }
        else if (isJson)
        {
            WriteEscaped(raw, target);
        }
        else if (kind == JsonTokenType.StartArray)
        {
            var literal = new ArrayBufferWriter<byte>(raw.Length + 64);
            var reader = new Utf8JsonReader(raw, Options);
            reader.Read();
            ArrayText.WriteArray(ref reader, literal);
            WriteEscaped(literal.WrittenSpan, target);
        }
        else if (kind == JsonTokenType.String)
        {
            WriteText(raw, target);
        }
        else
        {
            target.Write(raw);
        }
    }

    private static void WriteText(ReadOnlySpan<byte> raw, IBufferWriter<byte> target)
    {
        var quoted = raw[1..^1];
        if (!quoted.Contains((byte)'\\'))
        {
            WriteEscaped(quoted, target);
            return;
        }

        var reader = new Utf8JsonReader(raw, Options);
        reader.Read();
        var text = new byte[raw.Length];
        WriteEscaped(text.AsSpan(0, reader.CopyString(text)), target);
    }

    private static void WriteEscaped(ReadOnlySpan<byte> text, IBufferWriter<byte> target)
    {
        while (text.IndexOfAny(NeedsEscape) is >= 0 and var special)
        {
            target.Write(text[..special]);
            target.Write(text[special] switch
            {
                (byte)'\t' => "\\t"u8,
                (byte)'\n' => "\\n"u8,
                (byte)'\r' => "\\r"u8,
                _ => "\\\\"u8,
            });
            text = text[(special + 1)..];
        }

        target.Write(text);
    }

    private static void Require(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type)
        {
            throw new JsonException($"{type} was due");
        }
    }
}
