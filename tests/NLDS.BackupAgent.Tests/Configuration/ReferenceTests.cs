using System.Text.RegularExpressions;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Configuration;

/// <summary>The configuration reference in the README, held against the options classes.</summary>
public sealed class ReferenceTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(Checkout.Root, "README.md"));

    public static TheoryData<string> Sections => [.. Program.House().All.Select(feature => feature.Section)];

    [Theory]
    [MemberData(nameof(Sections))]
    public void Every_key_is_in_the_reference(string section)
    {
        var options = Program.House().All.Single(feature => feature.Section == section).Options;

        Keys(options).Where(key => !Regex.IsMatch(Readme, $"[:`]{key}\\b|\\b{key}…")).ShouldBeEmpty();
    }

    /// <summary>The last words of the keys; several are written in one row of the table, the later ones without what stands before them.</summary>
    private static IEnumerable<string> Keys(Type type) => OptionShape.Keys(type).Values.SelectMany(property =>
        OptionShape.IsValue(property.PropertyType) || OptionShape.IsList(property.PropertyType, out _) || OptionShape.IsNamed(property.PropertyType, out _)
            ? [property.Name]
            : Keys(property.PropertyType));
}
