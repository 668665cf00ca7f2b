using System.Buffers.Binary;
using System.Text;
using NLDS.BackupAgent.Postgres.Archive;

namespace NLDS.BackupAgent.Postgres.Tests.Archive;

public sealed class TarScannerTests
{
    [Fact]
    public void What_is_in_an_archive_does_not_depend_on_how_it_is_cut()
    {
        const int seed = 20261123;
        var random = new Random(seed);
        var builder = new TarBuilder().Directory("base").Directory("base/1");
        foreach (var length in (int[])[0, 1, 511, 512, 513, 8192, 100_000])
        {
            var content = new byte[length];
            random.NextBytes(content);
            builder.File($"base/1/{length}", content);
        }

        var archive = builder.Build();
        var whole = Scan(archive, archive.Length);
        whole.Count.ShouldBe(9);
        foreach (var piece in (int[])[1, 7, 511, 512, 513, 4096])
        {
            Scan(archive, piece).ShouldBe(whole, $"in pieces of {piece}");
        }

        for (var round = 0; round < 50; round++)
        {
            Scan(archive, () => random.Next(1, 3000)).ShouldBe(whole, $"seed {seed}, round {round}");
        }
    }

    [Fact]
    public void Every_archive_that_is_cut_short_is_known_as_such()
    {
        var archive = new TarBuilder().File("PG_VERSION", "15\n"u8.ToArray()).File("empty", []).Build();
        for (var length = 0; length < archive.Length; length++)
        {
            var scanner = new TarScanner(new Recorder());
            scanner.Feed(archive.AsSpan(0, length));

            Should.Throw<InvalidDataException>(scanner.RequireComplete, $"{length} of {archive.Length} bytes").Message.ShouldContain("end mark");
        }
    }

    [Fact]
    public void A_flipped_bit_in_a_header_is_noticed()
    {
        var archive = new TarBuilder().File("PG_VERSION", "15\n"u8.ToArray()).Build();
        for (var bit = 0; bit < 512 * 8; bit++)
        {
            var flipped = archive.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));

            // Not every bit of the checksum's own field matters (its padding), but then nothing has changed.
            var recorder = new Recorder();
            try
            {
                new TarScanner(recorder).Feed(flipped);
                recorder.Seen.ShouldBe(["PG_VERSION File 3 15\n"], $"bit {bit}");
            }
            catch (InvalidDataException)
            {
            }
        }
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("base/../../outside")]
    [InlineData("base/..")]
    [InlineData("..")]
    [InlineData("/etc/passwd")]
    [InlineData("//etc/passwd")]
    [InlineData("./../outside")]
    [InlineData("././../outside")]
    [InlineData("base//1")]
    [InlineData("base/./1")]
    [InlineData("base\\..\\1")]
    [InlineData("")]
    [InlineData("/")]
    public void A_name_that_would_leave_the_target_is_refused(string name)
    {
        foreach (var type in "05")
        {
            Refused(new TarBuilder().Entry(name, type, []));
        }
    }

    [Fact]
    public void A_prefix_that_would_leave_the_target_is_refused() => Refused(
        new TarBuilder().Entry("passwd", '0', [], header => "../etc"u8.CopyTo(header.AsSpan(345))));

    [Theory]
    [InlineData('1', "hard link")]
    [InlineData('3', "character device")]
    [InlineData('4', "block device")]
    [InlineData('6', "pipe")]
    [InlineData('7', "contiguous file")]
    [InlineData('L', "GNU long name")]
    [InlineData('x', "pax header")]
    [InlineData('g', "global pax header")]
    public void An_entry_that_a_base_backup_does_not_have_is_refused(char type, string what) =>
        Refused(new TarBuilder().Entry("entry", type, [])).ShouldContain($"'{type}'", customMessage: what);

    [Fact]
    public void A_wrong_checksum_is_refused() => Refused(new TarBuilder().Entry("entry", '0', [], checksumError: 1)).ShouldContain("checksum");

    [Fact]
    public void A_size_that_no_file_has_is_refused()
    {
        Refused(new TarBuilder().Entry("entry", '0', [], header => header.AsSpan(124, 12).Fill(0xFF))).ShouldContain("size");
        Refused(new TarBuilder().Entry("entry", '0', [], header =>
        {
            header.AsSpan(124, 12).Clear();
            header[124] = 0x80;
            header[127] = 1; // 2^64
        }));
        Refused(new TarBuilder().Entry("entry", '0', [], header => Encoding.ASCII.GetBytes("12345678x01 ").CopyTo(header, 124))).ShouldContain("size");
    }

    [Fact]
    public void A_size_in_base_256_is_read()
    {
        var recorder = new Recorder();
        var archive = new TarBuilder().Entry("large", '0', [], header =>
        {
            header.AsSpan(124, 12).Clear();
            header[124] = 0x80;
            BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(128), 9L << 30);
        }).Build();

        new TarScanner(recorder).Feed(archive.AsSpan(0, 512));

        recorder.Current.Bytes.ShouldBe(9L << 30);
    }

    [Fact]
    public void A_user_number_too_large_for_octal_digits_is_read()
    {
        var recorder = new Recorder();
        new TarScanner(recorder).Feed(new TarBuilder().Entry("file", '0', [], header =>
        {
            foreach (var at in (int[])[108, 116])
            {
                BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(at), 1_000_650_000);
                header[at] = 0x80;
            }
        }).Build());

        recorder.Current.UserId.ShouldBe(1_000_650_000);
        recorder.Current.GroupId.ShouldBe(1_000_650_000);
    }

    [Fact]
    public void What_goes_on_behind_the_end_mark_is_refused() =>
        Should.Throw<InvalidDataException>(() => new TarScanner(new Recorder()).Feed(
            [.. new TarBuilder().Build(), .. new TarBuilder().File("late", []).Build()])).Message.ShouldContain("end mark");

    [Fact]
    public void Owner_and_mode_are_told()
    {
        var recorder = new Recorder();
        new TarScanner(recorder).Feed(new TarBuilder().File("PG_VERSION", []).Build());

        recorder.Current.ShouldBe(new TarEntry("PG_VERSION", TarEntryKind.File, 0, 0x180, 70, 71, ""));
    }

    private static string Refused(TarBuilder builder)
    {
        var recorder = new Recorder();
        var message = Should.Throw<InvalidDataException>(() => new TarScanner(recorder).Feed(builder.Build())).Message;
        recorder.Seen.ShouldBeEmpty();
        return message;
    }

    private static List<string> Scan(byte[] archive, int piece) => Scan(archive, () => piece);

    private static List<string> Scan(byte[] archive, Func<int> piece)
    {
        var recorder = new Recorder();
        var scanner = new TarScanner(recorder);
        for (var at = 0; at < archive.Length;)
        {
            var count = Math.Min(piece(), archive.Length - at);
            scanner.Feed(archive.AsSpan(at, count));
            at += count;
        }

        scanner.RequireComplete();
        return recorder.Seen;
    }

    private sealed class Recorder : ITarVisitor
    {
        private readonly List<byte> content = [];

        public List<string> Seen { get; } = [];

        public TarEntry Current { get; private set; }

        public void Begin(TarEntry entry)
        {
            Current = entry;
            content.Clear();
        }

        public void Content(ReadOnlySpan<byte> bytes) => content.AddRange(bytes);

        public void End() => Seen.Add($"{Current.Name} {Current.Kind} {Current.Bytes} {Encoding.Latin1.GetString([.. content])}");
    }
}
