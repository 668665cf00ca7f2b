using System.Buffers.Binary;
using NLDS.BackupAgent.Redis.Rdb;

namespace NLDS.BackupAgent.Redis.Tests.Rdb;

/// <summary>
/// What servers newer than the distribution's write, byte for byte as rdb.c of Redis 7.2, 7.4 and 8.0 saves it. Each file has one key of the type, and one behind it
/// that is found only when the first was passed over exactly.
/// </summary>
public sealed class RdbVersionTests
{
    private const string Behind = "0001620163";
    private const string Id = "0000019300000000" + "0000000000000001";
    private const string Time = "00d0f7a893010000";

    public static TheoryData<int, string, string> Files => new()
    {
        { 11, "a set as a listpack (7.2)", "140173" + "0b" + "0b000000020083610283ff" },
        { 11, "a stream with the consumers' active times (7.2)", Stream(type: "15", consumerTimes: Time + Time) },
        { 10, "a stream (7.0)", Stream(type: "13", consumerTimes: Time) },
        { 12, "a hash whose fields expire (7.4)", "180168" + Time + "02" + "00" + "0166" + "0176" + "4100" + "0167" + "0177" },
        { 12, "a hash whose fields expire, as a listpack (7.4)", "190168" + Time + "05" + "0500000001" },
        { 12, "a slot's sizes before the key of a cluster (7.4)", "f4" + "05" + "01" + "00" + "0001610162" },
        { 12, "functions, an expiry and a last use (8.0)", "f5" + "03" + "232161" + "fc" + Time + "f8" + "05" + "0001610162" },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void What_newer_servers_write_is_walked_through(int version, string what, string content)
    {
        var summary = Scan(File(version, content + Behind));

        (summary.Version, summary.Databases![0].Keys).ShouldBe((version, 2), what);
    }

    /// <summary>A checksum that fits a damaged content does not make it whole.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void One_byte_less_in_it_is_found_by_its_structure(int version, string what, string content) =>
        Should.Throw<InvalidDataException>(() => Scan(File(version, content[..^2] + Behind)), what);

    /// <summary>One listpack of entries; one group with one entry pending for one consumer.</summary>
    private static string Stream(string type, string consumerTimes) =>
        type + "0174"
        + "01" + "10" + Id + "03" + "010203"
        + "01" + "4193" + "01" + "4193" + "01" + "00" + "00" + "01"
        + "01" + "0167" + "4193" + "01" + "01"
        + "01" + Id + Time + "01"
        + "01" + "0163" + consumerTimes + "01" + Id;

    private static byte[] File(int version, string content)
    {
        byte[] body = [.. System.Text.Encoding.ASCII.GetBytes($"REDIS{version:0000}"), 0xfe, 0x00, .. Convert.FromHexString(content), 0xff];
        var trailer = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(trailer, Crc64.Append(0, body));
        return [.. body, .. trailer];
    }

    private static RdbSummary Scan(byte[] file)
    {
        var scanner = new RdbScanner();
        scanner.Feed(file);
        return scanner.Complete();
    }
}
