using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Postgres.Archive;

/// <summary>
/// Reads the server's <c>backup_manifest</c> (manual, chapter "Backup Manifest Format") as it passes, in constant memory, and digests the files that it lists.
/// </summary>
/// <param name="listed">Told the name of each file, as it passes.</param>
internal sealed class ServerManifest(Action<string>? listed = null) : IContentCheck, IDisposable
{
    /// <summary>The longest single file entry, which has a line of its own: a path of PostgreSQL's MAXPGPATH in hexadecimal and its fixed fields.</summary>
    private const int MaximumPending = 64 << 10;

    private readonly FileDigest digest = new();
    private readonly ArrayBufferWriter<byte> pending = new();
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<byte> lastLine = [];
    private JsonReaderState reader = new(new JsonReaderOptions { MaxDepth = 8 });
    private string? property;
    private bool insideFiles;
    private string? path;
    private long size;
    private string? algorithm;
    private string? checksum;

    public FileDigest Files => digest;

    public void Feed(ReadOnlySpan<byte> bytes)
    {
        HashAllButLastLine(bytes);
        pending.Write(bytes);
        Read(isFinal: false);
    }

    /// <exception cref="InvalidDataException">It is cut short, no manifest, or not what its own checksum says.</exception>
    public void Complete()
    {
        Read(isFinal: true);
        var said = Encoding.UTF8.GetString([.. lastLine]);
        var actual = Convert.ToHexStringLower(hash.GetCurrentHash());
        if (!said.Contains($"\"{actual}\"", StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidDataException("the backup manifest does not have the checksum that it says");
        }
    }

    public void Dispose() => hash.Dispose();

    /// <summary>Manifest-Checksum is on the last line and covers every line before it.</summary>
    private void HashAllButLastLine(ReadOnlySpan<byte> bytes)
    {
        // What is kept back is the last line with content; it is released when another follows.
        foreach (var range in SplitLines(bytes))
        {
            var line = bytes[range];
            if (lastLine.Count > 0 && lastLine[^1] == (byte)'\n')
            {
                hash.AppendData(lastLine.ToArray());
                lastLine.Clear();
            }

            lastLine.AddRange(line);
            if (lastLine.Count > MaximumPending)
            {
                throw new InvalidDataException("the backup manifest has a line that is far too long");
            }
        }
    }

    private static List<Range> SplitLines(ReadOnlySpan<byte> bytes)
    {
        var lines = new List<Range>();
        var start = 0;
        while (start < bytes.Length)
        {
            var end = bytes[start..].IndexOf((byte)'\n');
            end = end < 0 ? bytes.Length : start + end + 1;
            lines.Add(start..end);
            start = end;
        }

        return lines;
    }

    private void Read(bool isFinal)
    {
        var json = new Utf8JsonReader(pending.WrittenSpan, isFinal, reader);
        try
        {
            while (json.Read())
            {
                Take(ref json);
            }
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException)
        {
            // Text that is no UTF-8, and a number or a checksum that is none.
            throw new InvalidDataException("the backup manifest is not the JSON document that it should be");
        }

        reader = json.CurrentState;
        var rest = pending.WrittenSpan[(int)json.BytesConsumed..].ToArray();
        if (rest.Length > MaximumPending)
        {
            throw new InvalidDataException("the backup manifest has an entry that is far too long");
        }

        pending.ResetWrittenCount();
        pending.Write(rest);
    }

    private void Take(ref Utf8JsonReader json)
    {
        switch (json.TokenType)
        {
            case JsonTokenType.PropertyName:
                property = json.GetString();
                break;
            case JsonTokenType.StartArray:
                insideFiles = property == "Files";
                break;
            case JsonTokenType.EndArray:
                insideFiles = false;
                break;
            case JsonTokenType.StartObject when insideFiles:
                (path, size, algorithm, checksum) = (null, -1, null, null);
                break;
            case JsonTokenType.EndObject when insideFiles:
                AddFile();
                break;
            case JsonTokenType.String when insideFiles && property == "Path":
                path = json.GetString();
                break;
            case JsonTokenType.String when insideFiles && property == "Encoded-Path":
                path = Encoding.UTF8.GetString(Convert.FromHexString(json.GetString()!));
                break;
            case JsonTokenType.Number when insideFiles && property == "Size":
                size = json.GetInt64();
                break;
            case JsonTokenType.String when insideFiles && property == "Checksum-Algorithm":
                algorithm = json.GetString();
                break;
            case JsonTokenType.String when insideFiles && property == "Checksum":
                checksum = json.GetString();
                break;
        }
    }

    private void AddFile()
    {
        if (path is null || size < 0 || algorithm != "CRC32C" || checksum is null)
        {
            throw new InvalidDataException($"the backup manifest has an entry for '{path}' without a size or a CRC32C checksum");
        }

        listed?.Invoke(path);

        // The server prints the four bytes as they lie in its memory, little-endian.
        digest.Add(
            path,
            size,
            Convert.FromHexString(checksum) is { Length: sizeof(uint) } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : throw new FormatException("Not a CRC32C."));
    }
}
