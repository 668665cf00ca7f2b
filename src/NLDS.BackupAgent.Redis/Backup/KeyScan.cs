using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>
/// For a server that neither lets us be a replica nor shares its disk: every key by SCAN and DUMP, put together into an RDB file like any other, because the payload of
/// DUMP is a value exactly as the file has it. It is no single moment: what changes while it runs may be in it or not.
/// </summary>
internal sealed class KeyScan(RedisConnection connection, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write)
{
    private const int KeysPerBatch = 500;

    /// <summary>Sixteen by default; a server with more than this has them by mistake.</summary>
    private const int MostDatabases = 1024;

    /// <summary>Two bytes of RDB version, eight of checksum (cluster.c, createDumpPayload).</summary>
    private const int FooterBytes = 10;

    private readonly HashSet<UInt128> seen = [];
    private readonly ArrayBufferWriter<byte> buffer = new();
    private ulong crc;
    private bool tellsMoment;

    /// <param name="rdbVersion">What the server writes, as far as its version tells; a key's own payload knows better.</param>
    public async Task RunAsync(int rdbVersion, CancellationToken cancellationToken)
    {
        tellsMoment = await TellsMomentAsync(cancellationToken);
        var functions = await FunctionsAsync(cancellationToken);
        rdbVersion = functions is null ? await VersionOfAnyKeyAsync(cancellationToken) ?? rdbVersion : VersionOf(functions);
        Append(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"REDIS{rdbVersion:0000}")));
        Append(functions.AsSpan(0, Math.Max(0, (functions?.Length ?? 0) - FooterBytes)));
        for (var database = 0; database < MostDatabases && await SelectAsync(database, cancellationToken); database++)
        {
            await ScanAsync(database, rdbVersion, cancellationToken);
        }

        Append([0xff]);
        await FlushAsync(cancellationToken);
        var trailer = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(trailer, crc);
        await write(trailer, cancellationToken);
    }

    private async Task ScanAsync(int database, int rdbVersion, CancellationToken cancellationToken)
    {
        seen.Clear();
        var isFirst = true;
        var cursor = "0";
        do
        {
            var batch = await connection.AskAsync(cancellationToken, "SCAN", cursor, "COUNT", KeysPerBatch.ToString(CultureInfo.InvariantCulture));
            cursor = batch.Items![0].Text;

            // SCAN returns a key twice when the table grows meanwhile; a file with a key twice is one that no server loads.
            List<byte[]> keys = [.. batch.Items[1].Items!.Select(key => key.Bytes!).Where(IsNew)];
            if (keys.Count > 0 && isFirst)
            {
                isFirst = false;
                Append([0xfe]);
                AppendLength((ulong)database);
            }

            await DumpAsync(keys, rdbVersion, cancellationToken);
        }
        while (cursor != "0");
    }

    private async Task DumpAsync(List<byte[]> keys, int rdbVersion, CancellationToken cancellationToken)
    {
        var requests = new ArrayBufferWriter<byte>();
        foreach (var key in keys)
        {
            RespRequest.Write(requests, ["TIME"u8.ToArray()]);
            RespRequest.Write(requests, [tellsMoment ? "PEXPIRETIME"u8.ToArray() : "PTTL"u8.ToArray(), key]);
            RespRequest.Write(requests, ["DUMP"u8.ToArray(), key]);
        }

        await connection.SendAsync(requests.WrittenMemory, cancellationToken);
        foreach (var key in keys)
        {
            var now = Milliseconds(await connection.Reader.ReadReplyAsync("TIME", cancellationToken));
            var expiry = (await connection.Reader.ReadReplyAsync("PTTL", cancellationToken)).Integer!.Value;
            expiry = tellsMoment || expiry < 0 ? expiry : now + expiry;
            var payload = (await connection.Reader.ReadReplyAsync("DUMP", cancellationToken)).Bytes;
            if (payload is null)
            {
                continue; // it is gone, or has expired, since SCAN named it
            }

            if (payload.Length <= FooterBytes || VersionOf(payload) != rdbVersion)
            {
                throw new InvalidDataException("the server answered DUMP with something of another version than before; was it replaced meanwhile?");
            }

            if (expiry >= 0)
            {
                var at = new byte[9];
                at[0] = 0xfc;
                BinaryPrimitives.WriteInt64LittleEndian(at.AsSpan(1), expiry);
                Append(at);
            }

            Append(payload.AsSpan(0, 1));
            AppendLength((ulong)key.Length);
            Append(key);
            Append(payload.AsSpan(1..^FooterBytes));
            await FlushAsync(cancellationToken);
        }
    }

    private bool IsNew(byte[] key) => seen.Add(BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(key)));

    private async Task<byte[]?> FunctionsAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await connection.AskAsync(cancellationToken, "FUNCTION", "DUMP")).Bytes;
        }
        catch (RedisErrorException)
        {
            return null; // before 7.0 there are none
        }
    }

    private async Task<int?> VersionOfAnyKeyAsync(CancellationToken cancellationToken)
    {
        var key = (await connection.AskAsync(cancellationToken, "RANDOMKEY")).Bytes;
        return key is null ? null : (await connection.AskAsync("DUMP", RespRequest.Encode(["DUMP"u8.ToArray(), key]), cancellationToken)).Bytes is { Length: > FooterBytes } payload ? VersionOf(payload) : null;
    }

    private static int VersionOf(byte[] payload) => BinaryPrimitives.ReadUInt16LittleEndian(payload.AsSpan(payload.Length - FooterBytes));

    private async Task<bool> SelectAsync(int database, CancellationToken cancellationToken)
    {
        try
        {
            await connection.AskAsync(cancellationToken, "SELECT", database.ToString(CultureInfo.InvariantCulture));
            return true;
        }
        catch (RedisErrorException) when (database > 0)
        {
            return false;
        }
    }

    private static long Milliseconds(RespReply time) =>
        (long.Parse(time.Items![0].Text, CultureInfo.InvariantCulture) * 1000) + (long.Parse(time.Items[1].Text, CultureInfo.InvariantCulture) / 1000);

    /// <summary>PEXPIRETIME is of 7.0. Before that there is only the time that is left, which drifts by the milliseconds between two commands.</summary>
    private async Task<bool> TellsMomentAsync(CancellationToken cancellationToken)
    {
        try
        {
            await connection.AskAsync(cancellationToken, "PEXPIRETIME", "");
            return true;
        }
        catch (RedisErrorException)
        {
            return false;
        }
    }

    /// <summary>A length as rdb.c writes it: six, fourteen or thirty-two bits, or sixty-four.</summary>
    private void AppendLength(ulong length)
    {
        switch (length)
        {
            case < 1 << 6:
                Append([(byte)length]);
                break;
            case < 1 << 14:
                Append([(byte)(0x40 | (length >> 8)), (byte)length]);
                break;
            default:
                var bytes = new byte[9];
                bytes[0] = 0x81;
                BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(1), length);
                Append(bytes);
                break;
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        crc = Crc64.Append(crc, bytes);
        buffer.Write(bytes);
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await write(buffer.WrittenMemory, cancellationToken);
        buffer.ResetWrittenCount();
    }
}
