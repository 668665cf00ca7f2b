using System.Text;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Fuzzing;

/// <summary>Makes well-formed JSON documents that say what no writer says: other kinds of values, extremes, nulls in lists, members that are gone or there twice.</summary>
public sealed class JsonMutator(IReadOnlyList<string> samples)
{
    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "1.5", "1e400", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "99999999999999999999999", "\"\"", "\"\\u0000\"",
        "\"../../../../tmp/outside\"", "\"/etc/passwd\"", "\"-1\"", "\"0001-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59.9999999Z\"", "\"2026-11-23T02:00:00-14:00\"", "[]", "{}",
        "[null]", "[[]]", "[{}]", "[\"\"]", "{\"\":null}",
    ];

    public byte[] Next(Random random)
    {
        var document = JsonNode.Parse(samples[random.Next(samples.Count)])!;
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            Change(random, All(document).ToList());
        }

        return Encoding.UTF8.GetBytes(document.ToJsonString());
    }

    private static void Change(Random random, List<JsonNode> nodes)
    {
        switch (nodes[random.Next(nodes.Count)])
        {
            case JsonObject { Count: > 0 } map:
                var name = map.ElementAt(random.Next(map.Count)).Key;
                if (random.Next(8) == 0)
                {
                    map.Remove(name);
                }
                else if (random.Next(12) == 0)
                {
                    map[name + "x"] = map[name]?.DeepClone();
                }
                else
                {
                    map[name] = Value(random);
                }

                break;
            case JsonArray list when random.Next(3) == 0:
                list.Add(list.Count > 0 && random.Next(2) == 0 ? list[random.Next(list.Count)]?.DeepClone() : Value(random));
                break;
            case JsonArray { Count: > 0 } list:
                list[random.Next(list.Count)] = Value(random);
                break;
        }
    }

    private static JsonNode? Value(Random random) => random.Next(30) switch
    {
        0 => JsonNode.Parse(new string('[', 60) + new string(']', 60)),
        1 => JsonValue.Create(new string((char)random.Next(1, 0xd7ff), random.Next(1, 2000))),
        _ => JsonNode.Parse(Values[random.Next(Values.Length)]),
    };

    private static IEnumerable<JsonNode> All(JsonNode node) => node switch
    {
        JsonObject map => map.SelectMany(member => member.Value is { } value ? All(value) : []).Append(node),
        JsonArray list => list.SelectMany(item => item is null ? [] : All(item)).Append(node),
        _ => [],
    };
}
