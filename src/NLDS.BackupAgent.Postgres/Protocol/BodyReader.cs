using System.Buffers.Binary;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Walks through a message's body: big-endian numbers and zero-terminated UTF-8 strings.</summary>
internal ref struct BodyReader(ReadOnlySpan<byte> body)
{
    private ReadOnlySpan<byte> rest = body;

    public readonly bool IsAtEnd => rest.IsEmpty;

    public readonly ReadOnlySpan<byte> Rest => rest;

    public byte Byte() => Take(1)[0];

    public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Take(2));

    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

    /// <summary>How many of something follow.</summary>
    public int Count() => Int16() is >= 0 and var count ? count : throw new ProtocolException("The server sent a message with a negative number of fields.");

    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(8));

    public string CString()
    {
        var length = rest.IndexOf((byte)0);
        if (length < 0)
        {
            throw Short();
        }

        var text = Encoding.UTF8.GetString(rest[..length]);
        rest = rest[(length + 1)..];
        return text;
    }

    public ReadOnlySpan<byte> Take(int count)
    {
        if ((uint)count > (uint)rest.Length)
        {
            throw Short();
        }

        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    private static ProtocolException Short() => new("The server sent a message that ends before its fields do.");
}
