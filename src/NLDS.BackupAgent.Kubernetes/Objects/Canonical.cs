using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace NLDS.BackupAgent.Kubernetes.Objects;

/// <summary>
/// What an object says, without what changes while nothing does: two that have the same digest are restored to the same. Not part of it are the status, and of the metadata
/// what the server writes for itself.
/// </summary>
internal static class Canonical
{
    private static readonly HashSet<string> ServerMetadata =
        ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"];

    /// <summary>Notes that controllers make all the time.</summary>
    private static readonly HashSet<string> Noise =
        ["control-plane.alpha.kubernetes.io/leader", "endpoints.kubernetes.io/last-change-trigger-time", "deployment.kubernetes.io/revision"];

    public static string Digest(JsonElement value)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var field in value.EnumerateObject().Where(f => f.Name is not ("status" or "kind" or "apiVersion")).OrderBy(f => f.Name, StringComparer.Ordinal))
            {
                writer.WritePropertyName(field.Name);
                if (field.NameEquals("metadata") && field.Value.ValueKind == JsonValueKind.Object)
                {
                    WriteMetadata(writer, field.Value);
                }
                else
                {
                    Write(writer, field.Value);
                }
            }

            writer.WriteEndObject();
        }

        return Convert.ToHexStringLower(SHA256.HashData(buffer.WrittenSpan));
    }

    private static void WriteMetadata(Utf8JsonWriter writer, JsonElement metadata)
    {
        writer.WriteStartObject();
        foreach (var field in metadata.EnumerateObject().Where(f => !ServerMetadata.Contains(f.Name)).OrderBy(f => f.Name, StringComparer.Ordinal))
        {
            writer.WritePropertyName(field.Name);
            if (field.NameEquals("annotations") && field.Value.ValueKind == JsonValueKind.Object)
            {
                writer.WriteStartObject();
                foreach (var note in field.Value.EnumerateObject().Where(n => !Noise.Contains(n.Name)).OrderBy(n => n.Name, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(note.Name);
                    Write(writer, note.Value);
                }

                writer.WriteEndObject();
            }
            else
            {
                Write(writer, field.Value);
            }
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var field in value.EnumerateObject().OrderBy(f => f.Name, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(field.Name);
                    Write(writer, field.Value);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }
}
