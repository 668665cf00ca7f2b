namespace NLDS.BackupAgent.Configuration;

/// <summary>Finds what a mistyped name was probably meant to be.</summary>
internal static class NearestName
{
    /// <summary>The closest of <paramref name="names"/>, or null when none is close: more than a third of the letters would have to change.</summary>
    public static string? Of(string typed, IEnumerable<string> names)
    {
        var nearest = names
            .Select(name => (Name: name, Distance: Distance(typed.ToUpperInvariant(), name.ToUpperInvariant())))
            .OrderBy(candidate => candidate.Distance)
            .FirstOrDefault();
        return nearest.Name is { } best && nearest.Distance <= Math.Max(1, Math.Max(typed.Length, best.Length) / 3) ? best : null;
    }

    /// <summary>Edits between two words where exchanging two neighbours is one edit.</summary>
    private static int Distance(string left, string right)
    {
        var rows = new int[left.Length + 1, right.Length + 1];
        for (var i = 0; i <= left.Length; i++)
        {
            rows[i, 0] = i;
        }

        for (var j = 0; j <= right.Length; j++)
        {
            rows[0, j] = j;
        }

        for (var i = 1; i <= left.Length; i++)
        {
            for (var j = 1; j <= right.Length; j++)
            {
                var replaced = rows[i - 1, j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(replaced, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                {
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
                }
            }
        }

        return rows[left.Length, right.Length];
    }
}
