using System.Text.Json;

namespace NLDS.BackupAgent.Repository.Documents;

/// <summary>
/// No list in a document of this program holds a null. The serializer respects nullability in members and not in lists, so a document that says otherwise would fail wherever
/// its list is read.
/// </summary>
public static class JsonLists
{
    /// <summary>The serializer's own limit, so that a bit is enough for each level.</summary>
    private const int DeepestNesting = 64;

    /// <exception cref="JsonException">A list holds a null, or this is no JSON.</exception>
    public static void RequireNoNulls(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = DeepestNesting });
        ulong lists = 0;
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray or JsonTokenType.StartObject:
                    lists = (lists << 1) | (reader.TokenType == JsonTokenType.StartArray ? 1UL : 0);
                    break;
                case JsonTokenType.EndArray or JsonTokenType.EndObject:
                    lists >>= 1;
                    break;
                case JsonTokenType.Null when (lists & 1) != 0:
                    throw new JsonException("A list holds a null.");
            }
        }
    }
}
