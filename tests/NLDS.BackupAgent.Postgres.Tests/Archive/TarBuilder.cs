using System.Text;

namespace NLDS.BackupAgent.Postgres.Tests.Archive;

/// <summary>Writes tar archives as PostgreSQL does, and hostile ones that it never would.</summary>
internal sealed class TarBuilder
{
    private readonly List<byte> archive = [];

    public static byte[] EndMark => new byte[1024];

    public TarBuilder File(string name, byte[] content) => Entry(name, '0', content);

    public TarBuilder Directory(string name) => Entry(name + "/", '5', []);

    /// <param name="change">Changes the header before its checksum is made.</param>
    public TarBuilder Entry(string name, char type, byte[] content, Action<byte[]>? change = null, int? checksumError = null)
    {
        var header = new byte[512];
        Encoding.UTF8.GetBytes(name).CopyTo(header, 0);
        Octal(header, 100, 8, type == '5' ? 0x1C0 : 0x180);
        Octal(header, 108, 8, 70);
        Octal(header, 116, 8, 71);
        Octal(header, 124, 12, content.Length);
        Octal(header, 136, 12, 0);
        header[156] = (byte)type;
        "ustar\000"u8.CopyTo(header.AsSpan(257));
        change?.Invoke(header);
        header.AsSpan(148, 8).Fill((byte)' ');
        Octal(header, 148, 8, header.Sum(b => b) + (checksumError ?? 0));
        archive.AddRange(header);
        archive.AddRange(content);
        archive.AddRange(new byte[-content.Length & 511]);
        return this;
    }

    public byte[] Build() => [.. archive, .. EndMark];

    public static void Octal(byte[] header, int at, int length, long value) =>
        Encoding.ASCII.GetBytes(Convert.ToString(value, 8).PadLeft(length - 1, '0')).CopyTo(header, at);
}
