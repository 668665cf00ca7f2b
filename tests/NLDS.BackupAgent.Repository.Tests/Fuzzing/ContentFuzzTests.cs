using System.Buffers;
using System.Text;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Encryption;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Repository.Tests.Fuzzing;

/// <summary>Objects as a hostile store gives them: frames, compressed content, seals.</summary>
public sealed class ContentFuzzTests
{
    private const int MostContent = 4 << 20;

    private static readonly ObjectKey Name = new("source/full/20261123_020000/base.tar.zst.enc");
    private static readonly Keyring Keys = TestKeys.Ring(TestKeys.First);
    private static readonly byte[] Plain = LogBench.Random(3, 150_000);

    private static readonly LogSeal Seal = new()
    {
        Lineage = "A1", Start = 16, End = 32, HashedFrom = 0, ContentSha256 = new string('a', 64), StoredBytes = 100, StoredSha256 = new string('b', 64),
        Arrivals = [0, 1_700_000_000_000, 5, 10, 1000, 5],
    };

    [Theory]
    [InlineData(Codec.Zstd)]
    [InlineData(Codec.Gzip)]
    public async Task Compressed_content_is_decoded_or_refused(Codec codec)
    {
        var mutator = new ByteMutator([await CompressAsync(codec, Plain[..5_000]), await CompressAsync(codec, []), SealFrame.Write(Seal, codec)], [[0x28, 0xb5, 0x2f, 0xfd], [0x5e, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff], [0x1f, 0x8b, 8, 4]]);
        new Fuzzer($"{codec} content", mutator.Next, input => Drain(ContentReader.Decode(codec, input.Open())), refusal => refusal is InvalidDataException) { BytesPerByte = 40 }.Run(500);
    }

    [Fact]
    public void Of_an_encrypted_object_only_what_was_encrypted_is_given_out()
    {
        var whole = Encrypt(Plain);
        var mutator = new ByteMutator([whole, Encrypt(Plain[..100]), Encrypt([])], [Encrypt([]), "NLDSENC1"u8.ToArray()]);
        new Fuzzer(
            "an encrypted object",
            mutator.Next,
            input =>
            {
                using var content = new DecryptingStream(input.Open(), Keys, Name);
                var given = Drain(content);
                if (input.Bytes.AsSpan().SequenceEqual(whole))
                {
                    given.ShouldBe(Plain.Length);
                }
            },
            refusal => refusal is InvalidDataException or NotRestorableException).Run(500);
    }

    [Fact]
    public void Frames_of_a_changed_object_never_open_to_other_bytes()
    {
        // What a reader was given before the refusal is a beginning of what was written, whatever was done to the object.
        var mutator = new ByteMutator([Encrypt(Plain)], [[0, 0, 0, 0], [1, 0, 0, 0]]);
        new Fuzzer(
            "a changed frame",
            mutator.Next,
            input =>
            {
                using var content = new DecryptingStream(input.Open(), Keys, Name);
                var buffer = new byte[64 << 10];
                var at = 0;
                while (content.ReadAsync(buffer).AsTask().GetAwaiter().GetResult() is var count && count > 0)
                {
                    buffer.AsSpan(0, count).SequenceEqual(Plain.AsSpan(at, count)).ShouldBeTrue();
                    at += count;
                }
            },
            refusal => refusal is InvalidDataException or NotRestorableException).Run(400);
    }

    [Theory]
    [InlineData(Codec.Zstd)]
    [InlineData(Codec.Gzip)]
    [InlineData(Codec.None)]
    public void Seals_are_read_or_there_is_none(Codec codec)
    {
        var json = new JsonMutator([Encoding.UTF8.GetString(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(Seal, LogJson.Default.LogSeal))]);
        var bytes = new ByteMutator([SealFrame.Write(Seal, codec), [.. new byte[500], .. SealFrame.Write(Seal, codec)]], [[.. "NLDSSEAL"u8]]);
        new Fuzzer(
            "a seal",
            random => random.Next(2) == 0 ? bytes.Next(random) : SealFrame.Wrap(json.Next(random), codec),
            input =>
            {
                if (SealFrame.Read(input.Bytes, codec, out var frameBytes) is { } seal)
                {
                    frameBytes.ShouldBeInRange(1, input.Bytes.Length);
                    Use(seal);
                }
            },
            refusal => refusal is FormatException).Run(500);
    }

    [Fact]
    public void Boxed_seals_are_read_or_there_is_none()
    {
        var name = new ObjectKey("source/log/tail/A1-0000000000000010-0000000000000020.zst.enc");
        var mutator = new ByteMutator([SealBox.Write(Seal, Keys.Writing!, name), [.. new byte[300], .. SealBox.Write(Seal, Keys.Writing!, name)]], [[.. "NLDSBOX1"u8]]);
        new Fuzzer("a boxed seal", mutator.Next, input => SealBox.Read(input.Bytes, Keys, name, out _), refusal => refusal is NotRestorableException).Run(500);
    }

    [Fact]
    public void Keys_are_read_or_their_faults_are_told_without_them()
    {
        var mutator = new ByteMutator([Encoding.ASCII.GetBytes(TestKeys.First), Encoding.ASCII.GetBytes(TestKeys.First + "\n" + TestKeys.Second)], [[.. "="u8], [.. "\n"u8], [.. "AAAA"u8]]);
        new Fuzzer(
            "keys",
            mutator.Next,
            input =>
            {
                Keyring.Parse(input.Text, out var faults);
                faults.ShouldAllBe(fault => input.Text.Length < 8 || !fault.Contains(input.Text, StringComparison.Ordinal));
            },
            _ => false).Run(400);
    }

    private static void Use(LogSeal seal) => LogWindow.Decode(seal.Arrivals, seal.Start).Count.ShouldBeGreaterThanOrEqualTo(0);

    private static int Drain(Stream content)
    {
        var buffer = new byte[32 << 10];
        var total = 0;
        while (total < MostContent && content.ReadAsync(buffer).AsTask().GetAwaiter().GetResult() is var count && count > 0)
        {
            total += count;
        }

        content.Dispose();
        return total;
    }

    private static async Task<byte[]> CompressAsync(Codec codec, byte[] content)
    {
        var store = new MemoryObjectStore();
        var bench = new Backups.BackupBench(store, codec.Word());
        await using var session = await bench.Repository.BeginBackupAsync(Backups.BackupBench.Folders, CancellationToken.None);
        await using var writer = session.BeginObject("base.tar");
        await writer.WriteAsync(content, CancellationToken.None);
        var stored = await writer.SealAsync(CancellationToken.None);
        return await store.ReadAllAsync(new ObjectKey(stored.Key), CancellationToken.None);
    }

    private static byte[] Encrypt(byte[] content)
    {
        // Always the same, or a finding could not be found again.
        using var encryptor = new ObjectEncryptor(Keys.Writing!, Name, new byte[RepositoryKey.Bytes], new byte[RepositoryKey.NonceBytes]);
        var stored = new ArrayBufferWriter<byte>();
        encryptor.Write(content, stored);
        encryptor.End(stored);
        return stored.WrittenSpan.ToArray();
    }
}
