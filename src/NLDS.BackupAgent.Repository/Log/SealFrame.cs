using System.Buffers.Binary;
using System.Text.Json;
using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// A seal as the last bytes of an object, in a form that the codec's own tools pass over: a skippable frame behind Zstandard data (RFC 8878 3.1.2), an empty
/// member with an extra field behind gzip data (RFC 1952 2.3.1.1). Uncompressed objects have no such place; their seal is an object beside them.
/// </summary>
/// <remarks>
/// The payload is JSON, its length in bytes (u32, little-endian), the CRC-32C of the JSON (u32, little-endian) and the eight bytes <c>NLDSSEAL</c>.
/// </remarks>
internal static class SealFrame
{
    /// <summary>
    /// More than any frame takes, so that one ranged read of an object's end gets it: some 600 bytes, and at most 22 for each of the 500 arrival windows that a
    /// source may note in one segment.
    /// </summary>
    public const int MaximumBytes = 16 << 10;

    private const int FooterBytes = 16;
    private const uint SkippableMagic = 0x184D2A5E;
    private static readonly byte[] Magic = "NLDSSEAL"u8.ToArray();

    /// <summary>ID1 ID2 CM FLG(FEXTRA) MTIME XFL OS(unknown): RFC 1952 2.3.</summary>
    private static readonly byte[] GzipHeader = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];

    /// <summary>One empty, final block with fixed codes, then CRC-32 and length of nothing.</summary>
    private static readonly byte[] GzipEmptyBody = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    public static byte[] Write(LogSeal seal, Codec codec) => Wrap(JsonSerializer.SerializeToUtf8Bytes(seal, LogJson.Default.LogSeal), codec);

    /// <summary>Reads the seal at the end of <paramref name="tail"/>, the object's last bytes; null when there is no sound one.</summary>
    /// <param name="frameBytes">How many of the object's bytes the frame takes.</param>
    public static LogSeal? Read(ReadOnlySpan<byte> tail, Codec codec, out int frameBytes)
    {
        frameBytes = 0;
        var (before, after) = codec switch
        {
            Codec.Zstd => (8, 0),
            Codec.Gzip => (GzipHeader.Length + 6, GzipEmptyBody.Length),
            _ => (0, 0),
        };
        if (tail.Length < before + FooterBytes + after)
        {
            return null;
        }

        var footer = tail[^(FooterBytes + after)..][..FooterBytes];
        var length = BinaryPrimitives.ReadUInt32LittleEndian(footer);
        if (!footer[8..].SequenceEqual(Magic) || length > MaximumBytes || before + length + FooterBytes + after > tail.Length)
        {
            return null;
        }

        frameBytes = before + (int)length + FooterBytes + after;
        if (codec == Codec.None && frameBytes != tail.Length)
        {
            return null;
        }

        var frame = tail[^frameBytes..];
        var json = frame.Slice(before, (int)length);
        if (Crc32C.Compute(json) != BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]))
        {
            return null;
        }

        try
        {
            var seal = JsonSerializer.Deserialize(json, LogJson.Default.LogSeal);

            // The checksum pins the JSON, and this pins every other byte of the frame: no flipped bit in it goes unnoticed.
            return seal is not null && frame.SequenceEqual(Wrap(json, codec)) ? seal : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    internal static byte[] Wrap(ReadOnlySpan<byte> json, Codec codec)
    {
        var payload = Payload(json);
        switch (codec)
        {
            case Codec.Zstd:
                var skippable = new byte[8 + payload.Length];
                BinaryPrimitives.WriteUInt32LittleEndian(skippable, SkippableMagic);
                BinaryPrimitives.WriteInt32LittleEndian(skippable.AsSpan(4), payload.Length);
                payload.CopyTo(skippable, 8);
                return skippable;
            case Codec.Gzip:
                var extra = new byte[6];
                BinaryPrimitives.WriteUInt16LittleEndian(extra, (ushort)(payload.Length + 4));
                extra[2] = (byte)'N';
                extra[3] = (byte)'L';
                BinaryPrimitives.WriteUInt16LittleEndian(extra.AsSpan(4), (ushort)payload.Length);
                return [.. GzipHeader, .. extra, .. payload, .. GzipEmptyBody];
            default:
                return payload;
        }
    }

    private static byte[] Payload(ReadOnlySpan<byte> json)
    {
        var payload = new byte[json.Length + FooterBytes];
        json.CopyTo(payload);
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(json.Length), json.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(json.Length + 4), Crc32C.Compute(json));
        Magic.CopyTo(payload, json.Length + 8);
        return payload;
    }
}
