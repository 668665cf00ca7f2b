using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Kubernetes.Verification;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Kubernetes.Tests.Fuzzing;

/// <summary>Archives of a namespace as a hostile store gives them.</summary>
public sealed class ArchiveFuzzTests
{
    private const string Raw = """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}""";

    private static string Index => $$"""
        {"format":1,"namespace":"nlds","serverVersion":"1.29","digest":"x","kinds":[{"group":"","version":"v1","plural":"configmaps","kind":"ConfigMap","isNamespaced":true,"hasStatus":false,"count":1,"revision":"1","isConsistent":true}],
         "objects":[{"path":"raw/configmaps/a.json","kind":"configmaps","name":"a","sha256":"{{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Raw)))}}","digest":"x"}],"files":{},"omissions":[]}
        """;

    [Fact]
    public void A_sound_one_is_sound() => Check(new FuzzInput(Archive(Index), 1));

    [Fact]
    public void Archives_are_sound_or_damaged()
    {
        var bytes = new ByteMutator([Archive(Index)], [.. new[] { "../", "ustar  \0", "77777777777\0", "././@LongLink" }.Select(Encoding.ASCII.GetBytes), [0x80, 0xff, 0xff], new byte[512]]);
        var json = new JsonMutator([Index]);
        new Fuzzer("an archive", random => random.Next(2) == 0 ? Archive(Encoding.UTF8.GetString(json.Next(random))) : WithChecksums(bytes.Next(random)), Check, refusal => refusal is InvalidDataException).Run(400);
    }

    private static void Check(FuzzInput input)
    {
        using var check = new ArchiveCheck();
        var content = check.Begin(new BackupObject { Name = "tar", Key = "a", Codec = "none", ContentBytes = 0, StoredBytes = 0, StoredSha256 = "" });
        foreach (var piece in input.Pieces())
        {
            content.Feed(piece.Span);
        }

        content.Complete();
    }

    private static byte[] Archive(string index)
    {
        using var archive = new MemoryStream();
        using (var tar = new TarWriter(archive, TarEntryFormat.Gnu, leaveOpen: true))
        {
            foreach (var (name, text) in new[] { ("nlds/raw/configmaps/a.json", Raw), ("nlds/index.json", index) })
            {
                using var data = new MemoryStream(Encoding.UTF8.GetBytes(text));
                tar.WriteEntry(new GnuTarEntry(TarEntryType.RegularFile, name) { DataStream = data, ModificationTime = DateTimeOffset.UnixEpoch });
            }
        }

        return archive.ToArray();
    }

    private static byte[] WithChecksums(byte[] archive)
    {
        for (var at = 0; at + 512 <= archive.Length; at += 512)
        {
            var header = archive.AsSpan(at, 512);
            if (header.Slice(257, 5).SequenceEqual("ustar"u8))
            {
                header.Slice(148, 8).Fill((byte)' ');
                var sum = 0;
                foreach (var one in header)
                {
                    sum += one;
                }

                Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[148..]);
            }
        }

        return archive;
    }
}
