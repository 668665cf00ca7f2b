using System.Text.Json;
using Npgsql;
using NLDS.BackupAgent.ApplicationData.Archive;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>Copies one data set's rows into its documents, row by row as the server sends them.</summary>
internal sealed class TableExport(NpgsqlConnection connection, DataSet set, IReadOnlyList<ArchivedColumn> columns)
{
    private const int BufferBytes = 256 << 10;

    public static DocumentShape Shape(DataSet set, string timestamp) => new(
        count => $"{{\n  \"timestamp\": {Text(timestamp)},\n  {Text(set.CountName)}: {count},\n  "
            + (set.TimeRange is { } range ? $"\"time_range\": {Text(range)},\n  " : "")
            + $"{Text(set.RowsName)}: [",
        "  ]\n}\n");

    public async Task WriteAsync(DocumentWriter document, CancellationToken cancellationToken)
    {
        var row = new CopyRow(columns);
        await using var copy = ((StreamReader)await connection.BeginTextExportAsync($"COPY ({QueryColumns.Select(set)}) TO STDOUT", cancellationToken)).BaseStream;
        var (buffer, start, end) = (new byte[BufferBytes], 0, 0);
        while (await copy.ReadAsync(buffer.AsMemory(end), cancellationToken) is var count && count > 0)
        {
            var searched = end;
            end += count;
            while (buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n') is >= 0 and var newline)
            {
                document.BeginEntry();
                row.Write(buffer.AsSpan(start, searched + newline - start), document.Target);
                await document.EndEntryAsync(cancellationToken);
                searched = start = searched + newline + 1;
            }

            (buffer, start, end) = MakeRoom(buffer, start, end);
        }

        if (start < end)
        {
            throw new InvalidDataException("the server's last row has no end");
        }
    }

    /// <summary>Moves what is left of a row to the front, into a larger buffer where that is full of one row.</summary>
    private static (byte[] Buffer, int Start, int End) MakeRoom(byte[] buffer, int start, int end)
    {
        if (start == end)
        {
            return (buffer, 0, 0);
        }

        if (end < buffer.Length)
        {
            return (buffer, start, end);
        }

        var larger = start > buffer.Length / 2 ? buffer
            : buffer.Length <= DocumentWriter.LargestEntryBytes ? new byte[buffer.Length * 2]
            : throw new InvalidDataException($"a row has more than {DocumentWriter.LargestEntryBytes >> 20} MiB");
        buffer.AsSpan(start, end - start).CopyTo(larger);
        return (larger, 0, end - start);
    }

    private static string Text(string value) => JsonSerializer.Serialize(value, TextJson.Default.String);
}
