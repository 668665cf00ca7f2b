using NLDS.BackupAgent.Postgres.Archive;

namespace NLDS.BackupAgent.Postgres.Tests.Archive;

public sealed class FileDigestTests
{
    private static readonly (string Name, long Bytes, uint Crc)[] Files =
        [.. Enumerable.Range(0, 500).Select(i => ($"base/1/{i}", (long)i * 8192, (uint)i * 2654435761u))];

    [Fact]
    public void The_order_of_files_does_not_matter()
    {
        var random = new Random(7);

        Of(Files).Equals(Of([.. Files.OrderBy(_ => random.Next())])).ShouldBeTrue();
    }

    [Fact]
    public void Any_other_set_of_files_is_another()
    {
        var digest = Of(Files);

        digest.Equals(Of(Files[1..])).ShouldBeFalse("one less");
        digest.Equals(Of([.. Files, Files[0]])).ShouldBeFalse("one twice");
        digest.Equals(Of([Files[1], .. Files[1..]])).ShouldBeFalse("one instead of another");
        digest.Equals(Of([(Files[0].Name, 1, Files[0].Crc), .. Files[1..]])).ShouldBeFalse("another size");
        digest.Equals(Of([(Files[0].Name, Files[0].Bytes, 1), .. Files[1..]])).ShouldBeFalse("another checksum");
        digest.Equals(Of([("other", Files[0].Bytes, Files[0].Crc), .. Files[1..]])).ShouldBeFalse("another name");
        digest.Equals(Of([(Files[0].Name, Files[0].Bytes, Files[1].Crc), (Files[1].Name, Files[1].Bytes, Files[0].Crc), .. Files[2..]]))
            .ShouldBeFalse("two swapped");
    }

    private static FileDigest Of(IEnumerable<(string Name, long Bytes, uint Crc)> files)
    {
        var digest = new FileDigest();
        foreach (var (name, bytes, crc) in files)
        {
            digest.Add(name, bytes, crc);
        }

        return digest;
    }
}
