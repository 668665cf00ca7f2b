namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>Names in SQL.</summary>
internal static class Sql
{
    public static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    public static string List(IEnumerable<string> names) => string.Join(", ", names.Select(Quote));

    /// <summary><c>a."x", a."y"</c>.</summary>
    public static string List(string alias, IEnumerable<string> names) => string.Join(", ", names.Select(name => $"{alias}.{Quote(name)}"));

    /// <summary>Whole rows as text, which can be compared for every type, those without an equality too.</summary>
    public static string RowText(string alias, IEnumerable<string> names) => $"ROW({List(alias, names)})::text";
}
