using System.Text;
using System.Text.Json;

namespace NLDS.BackupAgent.ApplicationData.Cache;

/// <summary>One key as a document has it.</summary>
/// <param name="Payload">For RESTORE.</param>
/// <param name="Remaining">Milliseconds that it had left when it was copied; null when it does not expire.</param>
/// <param name="ExpiresAt">By the agent's clock, in unix milliseconds.</param>
internal readonly record struct CachedKey(byte[] Key, byte[] Payload, long? Remaining, long? ExpiresAt)
{
    /// <summary>For messages: as text, or in base64 where it is none.</summary>
    public string Name => System.Text.Unicode.Utf8.IsValid(Key) ? $"'{Encoding.UTF8.GetString(Key)}'" : $"base64:{Convert.ToBase64String(Key)}";
}

/// <summary>Reads one file of the cache's data set.</summary>
internal static class CacheDocument
{
    /// <exception cref="InvalidDataException">It is not such a document.</exception>
    public static IReadOnlyList<CachedKey> Read(ReadOnlySpan<byte> file)
    {
        try
        {
            var keys = new List<CachedKey>();
            var reader = new Utf8JsonReader(file);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isEntries = reader.ValueTextEquals("cache_entries"u8);
                reader.Read();
                if (!isEntries)
                {
                    continue;
                }

                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    keys.Add(ReadKey(ref reader));
                }
            }

            return !reader.Read() ? keys : throw new JsonException("something lies behind its end");
        }
        catch (Exception damage) when (damage is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"it is no JSON document of cache entries ({damage.Message})", damage);
        }
    }

    private static CachedKey ReadKey(ref Utf8JsonReader reader)
    {
        var key = Encoding.UTF8.GetBytes(reader.GetString()!);
        byte[]? payload = null;
        long? remaining = null, expires = null;
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var member = reader.GetString();
            reader.Read();
            switch (member)
            {
                case "key":
                    key = reader.GetBytesFromBase64();
                    break;
                case "dump":
                    payload = reader.GetBytesFromBase64();
                    break;
                case "pttl":
                    remaining = reader.GetInt64();
                    break;
                case "expires_at":
                    expires = reader.GetInt64();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return payload is not null && remaining is null == expires is null
            ? new CachedKey(key, payload, remaining, expires)
            : throw new JsonException("a key has no dump, or half a time to live");
    }
}
