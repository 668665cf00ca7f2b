using System.Text.RegularExpressions;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Architecture;

/// <summary>What the pages promise, some test holds: each row names tests, and those that are named exist.</summary>
public sealed partial class PromisesTests
{
    private static readonly HashSet<string> Classes =
        [.. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "tests"), "*Tests*.cs", SearchOption.AllDirectories).SelectMany(file => Class().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value))];

    [Theory]
    [InlineData("README.md", "## Promises", 15)]
    [InlineData("docs/security.md", "## Against whom", 10)]
    public void Every_promise_names_tests_that_exist(string page, string heading, int atLeast)
    {
        var text = File.ReadAllText(Path.Combine(Checkout.Root, page));
        var section = text[text.IndexOf(heading, StringComparison.Ordinal)..];
        section = section[..section.IndexOf("\n## ", StringComparison.Ordinal)];
        var rows = section.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).ToList();

        rows.Count.ShouldBeGreaterThanOrEqualTo(atLeast);
        foreach (var row in rows)
        {
            var named = Named().Matches(row.Split('|')[^2]).Select(match => match.Groups[1].Value).ToList();
            named.ShouldNotBeEmpty(row);
            named.Where(name => !Classes.Contains(name)).ShouldBeEmpty(row);
        }
    }

    [Fact]
    public void Every_test_that_a_page_names_exists() =>
        Directory.EnumerateFiles(Path.Combine(Checkout.Root, "docs"), "*.md").Append(Path.Combine(Checkout.Root, "README.md"))
            .SelectMany(page => Named().Matches(File.ReadAllText(page)).Select(match => match.Groups[1].Value))
            .Where(name => !Classes.Contains(name))
            .ShouldBeEmpty();

    [GeneratedRegex(@"\bclass (\w+Tests)\b")]
    private static partial Regex Class();

    [GeneratedRegex(@"`([A-Z]\w*Tests)`")]
    private static partial Regex Named();
}
