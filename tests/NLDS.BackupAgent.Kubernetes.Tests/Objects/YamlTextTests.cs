using System.Text;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Objects;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace NLDS.BackupAgent.Kubernetes.Tests.Objects;

/// <summary>What is written is read back by another's parser as the same value.</summary>
public sealed class YamlTextTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("")]
    [InlineData("yes")]
    [InlineData("No")]
    [InlineData("~")]
    [InlineData("null")]
    [InlineData("1e3")]
    [InlineData("0x10")]
    [InlineData("012")]
    [InlineData("2026-11-22T07:38:04Z")]
    [InlineData("1:30")]
    [InlineData("a: b")]
    [InlineData("a #b")]
    [InlineData("- a")]
    [InlineData("trailing ")]
    [InlineData(" leading")]
    [InlineData("end:")]
    [InlineData("\"quoted\" \\ and 'single'")]
    [InlineData("one\ntwo\n")]
    [InlineData("one\ntwo")]
    [InlineData("one\n\n\ntwo\n\n")]
    [InlineData("#!/bin/sh\n  if true; then\n\techo \"x: y\"\n  fi\n")]
    [InlineData("  first line indented\nsecond\n")]
    [InlineData("\n\n")]
    [InlineData("space line\n   \nend")]
    [InlineData("cr\r\nlf\r\n")]
    [InlineData("tab\there")]
    [InlineData("bell\u0007 nel\u0085 ls\u2028 bom\ufeff nbsp\u00a0")]
    [InlineData("Ünïcödé 😀 {}[]&*!|>%@`")]
    [InlineData("<<")]
    [InlineData("=")]
    public void A_text_comes_back(string text)
    {
        var value = new JsonObject { ["data"] = new JsonObject { [text.Length == 0 ? "k" : text] = text }, ["list"] = new JsonArray(text, new JsonArray(text), new JsonObject { ["inner"] = text, ["more"] = new JsonArray(text) }) };

        Difference(value).ShouldBeNull();
    }

    [Fact]
    public void Texts_that_a_seed_chose_come_back()
    {
        const int seed = 20261128;
        var random = new Random(seed);
        const string alphabet = "ab:- #\n\t\"'\\|>{}[],&*!%@`0.1~?=üx\r";
        for (var i = 0; i < 5000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => alphabet[random.Next(alphabet.Length)]));
            var value = new JsonObject { ["a"] = text, ["b"] = new JsonArray(text, text), ["c"] = new JsonObject { ["d"] = new JsonArray(new JsonObject { ["e"] = text, ["f"] = 1 }) } };
            Difference(value).ShouldBeNull($"seed {seed}, text {i}: {JsonValue.Create(text).ToJsonString()}");
        }
    }

    [Fact]
    public void What_is_no_text_comes_back_as_what_it_is()
    {
        var value = JsonNode.Parse("""{"i":1,"big":12345678901234567890,"f":1.50,"t":true,"n":null,"e":{},"l":[],"deep":{"a":[[1,[2]],{"b":{"c":[]}}]}}""")!.AsObject();

        Difference(value).ShouldBeNull();
    }

    private static string? Difference(JsonObject value)
    {
        var text = Encoding.UTF8.GetString(YamlText.Document(value));
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        return Compare(value, yaml.Documents.Single().RootNode, "") is { } difference ? $"{difference} in\n{text}" : null;
    }

    private static string? Compare(JsonNode? wanted, YamlNode found, string path) => (wanted, found) switch
    {
        (JsonObject map, YamlMappingNode mapping) => map.Count != mapping.Children.Count
            ? $"{path} has {mapping.Children.Count} fields"
            : map.Select(f => mapping.Children.FirstOrDefault(c => ((YamlScalarNode)c.Key).Value == f.Key).Value is { } child ? Compare(f.Value, child, $"{path}.{f.Key}") : $"{path} lacks {f.Key}").FirstOrDefault(d => d is not null),
        (JsonArray list, YamlSequenceNode sequence) => list.Count != sequence.Children.Count
            ? $"{path} has {sequence.Children.Count} items"
            : list.Select((item, i) => Compare(item, sequence.Children[i], $"{path}[{i}]")).FirstOrDefault(d => d is not null),
        (JsonObject { Count: 0 } or JsonArray { Count: 0 }, _) => $"{path} is not empty",
        (null, YamlScalarNode scalar) => scalar is { Value: "null", Style: ScalarStyle.Plain } ? null : $"{path} is {scalar.Value}",
        (JsonValue leaf, YamlScalarNode scalar) when leaf.GetValueKind() == System.Text.Json.JsonValueKind.String =>
            scalar.Value != leaf.GetValue<string>() ? $"{path} is {JsonValue.Create(scalar.Value)?.ToJsonString()}"
            : scalar.Style == ScalarStyle.Plain && IsAmbiguous(scalar.Value) ? $"{path} is plain and may be taken for something else" : null,
        (JsonValue leaf, YamlScalarNode scalar) => scalar.Value == leaf.ToJsonString() && scalar.Style == ScalarStyle.Plain ? null : $"{path} is {scalar.Value}",
        _ => $"{path} is of another kind",
    };

    private static bool IsAmbiguous(string value) =>
        value.Length == 0 || !(char.IsAsciiLetter(value[0]) || value[0] == '/') || new[] { "true", "false", "yes", "no", "on", "off", "y", "n", "null" }.Contains(value.ToLowerInvariant());
}
