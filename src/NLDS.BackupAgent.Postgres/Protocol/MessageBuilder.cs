using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Builds one message for the server.</summary>
internal sealed class MessageBuilder
{
    private readonly ArrayBufferWriter<byte> bytes = new();
    private readonly int lengthAt;

    /// <summary>Begins a message; the startup packet and SSLRequest are the two that have no type byte.</summary>
    public MessageBuilder(char? type)
    {
        if (type is { } letter)
        {
            Byte((byte)letter);
        }

        lengthAt = bytes.WrittenCount;
        Int32(0);
    }

    public static ReadOnlyMemory<byte> Query(string command) => new MessageBuilder('Q').CString(command).Build();

    /// <summary>Terminate: the polite end.</summary>
    public static ReadOnlyMemory<byte> Terminate() => new MessageBuilder('X').Build();

    public static ReadOnlyMemory<byte> CopyDone() => new MessageBuilder('c').Build();

    /// <summary>Ends a copy to the server that did not work out; it answers with an error.</summary>
    public static ReadOnlyMemory<byte> CopyFail(string reason) => new MessageBuilder('f').CString(reason).Build();

    public MessageBuilder Byte(byte value)
    {
        bytes.Write([value]);
        return this;
    }

    public MessageBuilder Int32(int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(bytes.GetSpan(4), value);
        bytes.Advance(4);
        return this;
    }

    public MessageBuilder Bytes(ReadOnlySpan<byte> value)
    {
        bytes.Write(value);
        return this;
    }

    public MessageBuilder CString(string value)
    {
        if (value.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("Text for the server must not contain a zero character.", nameof(value));
        }

        return Bytes(Encoding.UTF8.GetBytes(value)).Byte(0);
    }

    public ReadOnlyMemory<byte> Build()
    {
        var message = bytes.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(lengthAt), message.Length - lengthAt);
        return message;
    }
}
