using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Tables;

namespace NLDS.BackupAgent.ApplicationData.Cache;

/// <summary>
/// Copies the keys of a pattern into the cache's documents. SCAN walks through them without holding the server up; what it gives twice is taken once. Each value is its
/// DUMP payload, which goes back as exactly what it was, of whatever type; strings are there to read as well.
/// </summary>
internal sealed class CacheExport(CacheConnection connection, string pattern, TimeProvider clock)
{
    /// <summary>What SCAN looks at in one call: a millisecond of the server's time.</summary>
    private static readonly byte[] KeysPerScan = "1000"u8.ToArray();

    /// <summary>Values that are asked for together; the server holds their answers until we took them.</summary>
    private const int KeysPerBatch = 128;

    /// <summary>More would be a list that nobody reads.</summary>
    private const int NamedOmissions = 5;

    private readonly HashSet<UInt128> seen = [];
    private readonly List<string> omissions = [];
    private long omitted;

    public IReadOnlyList<string> Omissions => omitted <= NamedOmissions ? omissions : [.. omissions, $"Of data set {DataSet.Cache} {omitted - NamedOmissions} more keys are missing."];

    public static DocumentShape Shape(string timestamp) => new(_ => $"{{\n  \"timestamp\": \"{timestamp}\",\n  \"cache_entries\": {{", "  }\n}\n");

    public async Task WriteAsync(DocumentWriter document, CancellationToken cancellationToken)
    {
        var cursor = "0"u8.ToArray();
        do
        {
            var answer = await connection.AskAsync("SCAN", cancellationToken, cursor, "MATCH"u8.ToArray(), Encoding.UTF8.GetBytes(pattern), "COUNT"u8.ToArray(), KeysPerScan);
            if (answer.Items is not [{ Bytes: { } next }, { Items: { } found }])
            {
                throw new CacheException("Redis answered SCAN in a way that is not known.");
            }

            cursor = next;
            foreach (var batch in found.Select(key => key.Bytes!).Where(IsNew).Chunk(KeysPerBatch))
            {
                await WriteBatchAsync(batch, document, cancellationToken);
            }
        }
        while (cursor is not [(byte)'0']);
    }

    private async Task WriteBatchAsync(byte[][] keys, DocumentWriter document, CancellationToken cancellationToken)
    {
        foreach (var key in keys)
        {
            connection.Enqueue("PTTL"u8, key);
            connection.Enqueue("DUMP"u8, key);
        }

        await connection.SendAsync(cancellationToken);
        foreach (var key in keys)
        {
            var remaining = await connection.ReadAsync(cancellationToken);
            var payload = await connection.ReadAsync(cancellationToken);
            if (remaining.Error is not null || payload.Error is not null || payload.PassedOverBytes is not null)
            {
                Omit(key, remaining.Error ?? payload.Error ?? $"its value has {payload.PassedOverBytes >> 20} MiB, and one may have {CacheConnection.LargestBulkBytes >> 20}");
            }
            else if (payload.Bytes is { } value && remaining.Integer is >= -1 and { } milliseconds)
            {
                document.BeginEntry();
                WriteEntry(key, value, milliseconds, document.Target);
                await document.EndEntryAsync(cancellationToken);
            }
        }
    }

    /// <summary>The strategy document's <c>value</c> and <c>ttl</c> first; what makes the restore exact behind them.</summary>
    private void WriteEntry(byte[] key, byte[] payload, long milliseconds, IBufferWriter<byte> target)
    {
        if (Utf8.IsValid(key))
        {
            CopyRow.WriteString(key, target);
            target.Write(": {"u8);
        }
        else
        {
            target.Write("\"base64:"u8);
            WriteBase64(key, target);
            target.Write("\": {\"key\": \""u8);
            WriteBase64(key, target);
            target.Write("\", "u8);
        }

        target.Write("\"value\": "u8);
        if (RdbString.TryRead(payload) is { } text && Utf8.IsValid(text))
        {
            CopyRow.WriteString(text, target);
        }
        else
        {
            target.Write("null"u8);
        }

        const int millisecondsPerSecond = 1000;
        var ttl = milliseconds < 0 ? -1 : (milliseconds + (millisecondsPerSecond / 2)) / millisecondsPerSecond;
        var expires = milliseconds < 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", \"pttl\": {milliseconds}, \"expires_at\": {clock.GetUtcNow().ToUnixTimeMilliseconds() + milliseconds}");
        target.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $", \"ttl\": {ttl}{expires}, \"type\": \"{RdbString.TypeName(payload)}\", \"dump\": \"")));
        WriteBase64(payload, target);
        target.Write("\"}"u8);
    }

    private static void WriteBase64(ReadOnlySpan<byte> bytes, IBufferWriter<byte> target)
    {
        Base64.EncodeToUtf8(bytes, target.GetSpan(Base64.GetMaxEncodedToUtf8Length(bytes.Length)), out _, out var written);
        target.Advance(written);
    }

    /// <summary>16 bytes a key instead of the key: a million keys seen are 30 MB. That two keys have the same is less likely than a flipped bit in memory.</summary>
    private bool IsNew(byte[] key) => seen.Add(BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(key)));

    private void Omit(byte[] key, string reason)
    {
        if (++omitted <= NamedOmissions)
        {
            omissions.Add($"Of data set {DataSet.Cache} the key {(Utf8.IsValid(key) ? $"'{Encoding.UTF8.GetString(key)}'" : $"base64:{Convert.ToBase64String(key)}")} is missing: {reason.TrimEnd('.')}.");
        }
    }
}
