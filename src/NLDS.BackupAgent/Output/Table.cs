namespace NLDS.BackupAgent.Output;

/// <summary>Rows under headings, each column as wide as its longest cell.</summary>
internal sealed class Table(params string[] headings)
{
    private const string Gap = "  ";

    private readonly List<string[]> rows = [headings];

    public void Add(params string[] cells) => rows.Add(cells);

    public void WriteTo(TextWriter output)
    {
        var widths = headings.Select((_, column) => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            output.WriteLine(string.Join(Gap, row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
    }
}
