using System.Buffers.Binary;
using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

/// <summary>A server that says what it was told to say, in pieces of a given size, and remembers what it heard.</summary>
internal sealed class ScriptedServer : Stream
{
    private readonly MemoryStream script = new();
    private readonly MemoryStream heard = new();

    /// <summary>At most so many bytes come with one read.</summary>
    public int PieceBytes { get; init; } = int.MaxValue;

    public byte[] Heard => heard.ToArray();

    public byte[] Script => script.ToArray();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Trust, the version, and ReadyForQuery.</summary>
    public ScriptedServer Welcomes(string version = "15.18 (Debian 15.18-0+deb12u1)") =>
        Says('R', Int32(0)).Says('S', CString("server_version"), CString(version)).Says('K', Int32(4711), Int32(42)).IsReady();

    public ScriptedServer IsReady() => Says('Z', "I"u8.ToArray());

    public ScriptedServer Completes(string tag) => Says('C', CString(tag));

    public ScriptedServer Fails(string severity, string state, string message) =>
        Says('E', [(byte)'S'], CString("FEHLER"), [(byte)'V'], CString(severity), [(byte)'C'], CString(state), [(byte)'M'], CString(message), [0]);

    public ScriptedServer Describes(params string[] columns) =>
        Says('T', [Int16(columns.Length), .. columns.SelectMany(column => new[] { CString(column), new byte[18] })]);

    public ScriptedServer Row(params byte[]?[] values) =>
        Says('D', [Int16(values.Length), .. values.SelectMany(value => new[] { Int32(value?.Length ?? -1), value ?? [] })]);

    public ScriptedServer Row(params string?[] values) => Row(values.Select(value => value is null ? null : Encoding.UTF8.GetBytes(value)).ToArray());

    public ScriptedServer CopyData(params byte[][] parts) => Says('d', parts);

    public ScriptedServer Says(char type, params byte[][] parts)
    {
        script.Position = script.Length;
        script.WriteByte((byte)type);
        script.Write(Int32(4 + parts.Sum(part => part.Length)));
        foreach (var part in parts)
        {
            script.Write(part);
        }

        script.Position = 0;
        return this;
    }

    public ScriptedServer SaysRaw(string text)
    {
        script.Position = script.Length;
        script.Write(Encoding.ASCII.GetBytes(text));
        script.Position = 0;
        return this;
    }

    /// <summary>What it would have said behind so many bytes never comes.</summary>
    public ScriptedServer GoesAwayAfter(int bytes)
    {
        script.SetLength(bytes);
        return this;
    }

    public Task<ReplicationConnection> ConnectAsync(ConnectionSettings? settings = null, bool isPrivate = true) => ReplicationConnection.StartAsync(
        settings ?? new ConnectionSettings { Host = "scripted", Username = "backup", Password = "secret" },
        new Transport(this, isPrivate, ServerCertificate: null),
        TestContext.Current.CancellationToken);

    public static byte[] Int16(int value)
    {
        var bytes = new byte[2];
        BinaryPrimitives.WriteInt16BigEndian(bytes, (short)value);
        return bytes;
    }

    public static byte[] Int32(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    public static byte[] Int64(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }

    public static byte[] CString(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    public override int Read(byte[] buffer, int offset, int count) => script.Read(buffer, offset, Math.Min(count, PieceBytes));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(script.Read(buffer.Span[..Math.Min(buffer.Length, PieceBytes)]));

    public override void Write(byte[] buffer, int offset, int count) => heard.Write(buffer, offset, count);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        heard.Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
