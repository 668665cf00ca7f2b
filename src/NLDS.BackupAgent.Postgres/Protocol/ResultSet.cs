using System.Text;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>One answer of a simple query: rows of text values, null where SQL is NULL. A command without rows has no columns.</summary>
internal sealed class ResultSet
{
    private readonly List<byte[]?[]> rows = [];

    private ResultSet(IReadOnlyList<string> columns) => Columns = columns;

    public IReadOnlyList<string> Columns { get; }

    public IReadOnlyList<byte[]?[]> Rows => rows;

    /// <summary>What CommandComplete says, such as <c>SELECT</c>.</summary>
    public string CommandTag { get; set; } = "";

    public static ResultSet WithoutRows() => new([]);

    /// <summary>From a RowDescription.</summary>
    public static ResultSet Describe(ReadOnlySpan<byte> body)
    {
        var fields = new BodyReader(body);
        var columns = new string[fields.Count()];
        for (var i = 0; i < columns.Length; i++)
        {
            columns[i] = fields.CString();
            fields.Take(18); // table oid, attribute, type oid, length, modifier, format: all values come as text
        }

        return new ResultSet(columns);
    }

    /// <summary>From a DataRow.</summary>
    public void AddRow(ReadOnlySpan<byte> body)
    {
        var fields = new BodyReader(body);
        var row = new byte[]?[fields.Count()];
        for (var i = 0; i < row.Length; i++)
        {
            var length = fields.Int32();
            row[i] = length < 0 ? null : fields.Take(length).ToArray();
        }

        if (row.Length != Columns.Count)
        {
            throw new ProtocolException($"The server sent a row of {row.Length} values for {Columns.Count} columns.");
        }

        rows.Add(row);
    }

    public byte[]? Bytes(int row, string column)
    {
        for (var i = 0; i < Columns.Count; i++)
        {
            if (Columns[i] == column)
            {
                return rows[row][i];
            }
        }

        throw new ProtocolException($"The server's answer has no column '{column}'; it has {string.Join(", ", Columns)}.");
    }

    public string? Text(int row, string column) => Bytes(row, column) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>A value that the protocol promises.</summary>
    public string Required(int row, string column) =>
        rows.Count > row && Text(row, column) is { } text
            ? text
            : throw new ProtocolException($"The server's answer lacks a value for '{column}'.");
}
