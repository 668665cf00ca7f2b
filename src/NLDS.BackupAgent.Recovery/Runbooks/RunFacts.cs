using System.Globalization;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>What a run remembers, by name. Texts, because they are written down and read by another process.</summary>
internal sealed class RunFacts(IReadOnlyDictionary<string, string> values)
{
    public IReadOnlyDictionary<string, string> Values => values;

    public string? this[string fact] => values.GetValueOrDefault(fact);

    public string Require(string fact) => this[fact] ?? throw new InvalidOperationException($"The run does not remember '{fact}'.");

    public int? Number(string fact) => this[fact] is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    public TimeSpan? Seconds(string fact) => this[fact] is { } text ? TimeSpan.FromSeconds(double.Parse(text, CultureInfo.InvariantCulture)) : null;

    /// <summary>The names after a beginning: of <c>replicas:</c>, all workloads that are remembered.</summary>
    public IEnumerable<string> After(string beginning) =>
        values.Keys.Where(name => name.StartsWith(beginning, StringComparison.Ordinal)).Select(name => name[beginning.Length..]).Order(StringComparer.Ordinal);

    /// <summary>These too; where both have one, these count.</summary>
    public RunFacts With(IReadOnlyDictionary<string, string> more)
    {
        var all = new Dictionary<string, string>(values);
        foreach (var (name, value) in more)
        {
            all[name] = value;
        }

        return new RunFacts(all);
    }

    public static string Text(TimeSpan time) => time.TotalSeconds.ToString("R", CultureInfo.InvariantCulture);

    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
