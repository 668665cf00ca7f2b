using System.Buffers;
using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>A command as an array of bulk strings, which is the only form that takes any bytes.</summary>
internal static class RespRequest
{
    public static byte[] Encode(params IReadOnlyList<string> words) => Encode([.. words.Select(Encoding.UTF8.GetBytes)]);

    public static byte[] Encode(IReadOnlyList<ReadOnlyMemory<byte>> words)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Write(buffer, words);
        return buffer.WrittenSpan.ToArray();
    }

    public static void Write(IBufferWriter<byte> target, IReadOnlyList<ReadOnlyMemory<byte>> words)
    {
        target.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"*{words.Count}\r\n")));
        foreach (var word in words)
        {
            target.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"${word.Length}\r\n")));
            target.Write(word.Span);
            target.Write("\r\n"u8);
        }
    }

    private static byte[] Encode(byte[][] words) => Encode([.. words.Select(word => (ReadOnlyMemory<byte>)word)]);
}
