using System.Globalization;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Alerts;

/// <summary>The rules of <c>k8s/base/alerts.yaml</c> as Prometheus itself reads them: the document's <c>spec</c>.</summary>
internal static partial class ShippedRules
{
    public static string Path { get; } = System.IO.Path.Combine(Checkout.Root, "k8s/base/alerts.yaml");

    public static string Plain()
    {
        var lines = File.ReadAllLines(Path);
        return string.Join('\n', lines.SkipWhile(line => line != "spec:").Skip(1).Select(line => line.StartsWith("  ", StringComparison.Ordinal) ? line[2..] : line)) + "\n";
    }

    /// <summary>The same with every duration, and every count of seconds that an expression compares with, divided: an hour that a test can wait for.</summary>
    public static string Scaled(int divisor)
    {
        string Divided(Match match) => (double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) / divisor).ToString("R", CultureInfo.InvariantCulture);
        string Milliseconds(Match match) => Invariant((int)(1000 * Unit(match.Groups["unit"].Value) * int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) / divisor));
        return string.Join('\n', Plain().Split('\n').Select(line =>
            line.Contains("description:", StringComparison.Ordinal) || line.Contains("summary:", StringComparison.Ordinal)
                ? line
                : Seconds().Replace(Duration().Replace(line, match => $"{match.Groups["before"].Value}{Milliseconds(match)}ms"), Divided)));
    }

    private static string Invariant(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static int Unit(string unit) => unit switch { "s" => 1, "m" => 60, "h" => 3600, _ => 86400 };

    /// <summary>A range in brackets, or the whole of a <c>for</c>.</summary>
    [GeneratedRegex(@"(?<before>\[|for: )(?<number>\d+)(?<unit>[smhd])\b")]
    private static partial Regex Duration();

    /// <summary>What is compared with a time; shares and factors are smaller.</summary>
    [GeneratedRegex(@"(?<=[<>*+] )(?<number>\d{3,})\b")]
    private static partial Regex Seconds();
}
