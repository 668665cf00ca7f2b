using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Encryption;

public sealed class ObjectFormatTests
{
    private const int FrameBytes = ObjectHeader.DefaultFrameBytes;
    private const int StoredFrameBytes = FrameBytes + RepositoryKey.TagBytes;

    private static readonly ObjectKey Name = new("vector/object.enc");
    private static readonly Keyring Keys = TestKeys.Ring(TestKeys.First);

    [Fact]
    public void The_test_vector_of_the_README_is_what_is_written()
    {
        var key = Keys.Writing!;
        using var encryptor = new ObjectEncryptor(key, Name, Numbers(32, 32), Numbers(64, 12));
        var stored = new ArrayBufferWriter<byte>();
        var plaintext = "A backup that was never read back is a hope."u8;
        encryptor.Write(plaintext, stored);
        encryptor.End(stored);
        var box = SealBox.Write("""{"lineage":"00000001"}"""u8, key, Name, Numbers(64, 12));
        var mac = key.Authenticate(new ObjectKey("vector/document.json"), "{\n  \"format\": 1,\n"u8);

        var vector = Vector();
        key.Id.ShouldBe(vector["key id"]);
        key.Check.ShouldBe(vector["check value"]);
        Hex(stored.WrittenSpan[..ObjectHeader.Bytes]).ShouldBe(vector["header"]);
        Hex(stored.WrittenSpan[ObjectHeader.Bytes..]).ShouldBe(vector["frame"]);
        Hex(box).ShouldBe(vector["box"]);
        Hex(mac).ShouldBe(vector["mac"]);
        key.Fingerprint(SHA256.HashData(plaintext)).ShouldBe(vector["contentHmac"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(FrameBytes - 1)]
    [InlineData(FrameBytes)]
    [InlineData(FrameBytes + 1)]
    [InlineData((2 * FrameBytes) + 7)]
    public async Task What_was_encrypted_comes_back_whatever_the_sizes_of_writes_and_reads(int bytes)
    {
        var content = Log.LogBench.Random(bytes, bytes);
        foreach (var size in new[] { 1_000, FrameBytes - 1, FrameBytes, FrameBytes + 1, 1 << 20 })
        {
            var stored = Encrypt(content, size);
            stored.Length.ShouldBe(ObjectHeader.Bytes + bytes + (Math.Max(1, (bytes + FrameBytes - 1) / FrameBytes) * RepositoryKey.TagBytes));
            (await DecryptAsync(stored, Name, size)).ShouldBe(content);
        }

        Encrypt(content)[80..].ShouldNotBe(Encrypt(content)[80..], "two objects have two keys");
        Encrypt(content).Length.ShouldBeLessThanOrEqualTo(ObjectEncryptor.BytesFor(bytes));
    }

    [Fact]
    public async Task Every_flipped_byte_and_every_truncation_is_damage_and_nothing_of_its_frame_is_released()
    {
        var stored = Encrypt(Log.LogBench.Random(1, 300));
        for (var at = 0; at < stored.Length; at++)
        {
            var damaged = stored.ToArray();
            damaged[at] ^= 1;
            (await ReleasedAsync(damaged)).ShouldBe(0, $"byte {at}");
            (await ReleasedAsync(stored[..at])).ShouldBe(0, $"cut to {at}");
        }

        (await ReleasedAsync([.. stored, 0])).ShouldBe(0);
    }

    [Fact]
    public async Task Frames_cannot_be_swapped_repeated_left_out_cut_off_or_added()
    {
        var stored = Encrypt(Log.LogBench.Random(2, (3 * FrameBytes) + 100));
        byte[] header = stored[..ObjectHeader.Bytes];
        byte[][] frames = [.. stored[ObjectHeader.Bytes..].Chunk(StoredFrameBytes)];
        frames.Length.ShouldBe(4);

        (await ReleasedAsync([.. header, .. frames[1], .. frames[0], .. frames[2], .. frames[3]])).ShouldBe(0);
        (await ReleasedAsync([.. header, .. frames[0], .. frames[0], .. frames[2], .. frames[3]])).ShouldBe(FrameBytes);
        (await ReleasedAsync([.. header, .. frames[0], .. frames[2], .. frames[3]])).ShouldBe(FrameBytes);
        (await ReleasedAsync([.. header, .. frames[0], .. frames[1], .. frames[2]])).ShouldBe(2 * FrameBytes);
        (await ReleasedAsync([.. header, .. frames[0], .. frames[1]])).ShouldBe(FrameBytes);
        (await ReleasedAsync([.. header, .. frames[0], .. frames[3]])).ShouldBe(FrameBytes);
        (await ReleasedAsync([.. stored, .. frames[3]])).ShouldBe(3 * FrameBytes);
        (await ReleasedAsync([.. stored, 0])).ShouldBe(3 * FrameBytes);

        // Another object's frame at the same place.
        var other = Encrypt(Log.LogBench.Random(3, (3 * FrameBytes) + 100));
        (await ReleasedAsync([.. stored[..^116], .. other[^116..]])).ShouldBe(3 * FrameBytes);
        (await ReleasedAsync([.. header, .. other[ObjectHeader.Bytes..]])).ShouldBe(0);
    }

    [Fact]
    public async Task An_object_under_another_name_is_not_opened()
    {
        var stored = Encrypt([1, 2, 3]);

        (await Should.ThrowAsync<InvalidDataException>(() => DecryptAsync(stored, new ObjectKey("vector/other.enc"), 10))).Message.ShouldContain("of this name");
    }

    [Fact]
    public async Task Another_key_of_the_same_id_does_not_open_it()
    {
        // The id says which key is meant; that it is that key, the header proves.
        var stored = Encrypt([1, 2, 3]);
        TestKeys.Ring(TestKeys.Second).Writing!.IdSpan.CopyTo(stored.AsSpan(8));

        await Should.ThrowAsync<InvalidDataException>(() => DecryptAsync(stored, Name, 10, TestKeys.Ring(TestKeys.Second)));
    }

    [Fact]
    public async Task A_missing_key_is_named_and_is_no_damage()
    {
        var missing = await Should.ThrowAsync<NotRestorableException>(() => DecryptAsync(Encrypt([1]), Name, 10, TestKeys.Ring(TestKeys.Second)));

        missing.Message.ShouldContain(TestKeys.Id(TestKeys.First));
        missing.Message.ShouldNotContain("damaged");
    }

    private static byte[] Encrypt(byte[] content, int size = 1 << 20)
    {
        using var encryptor = new ObjectEncryptor(Keys.Writing!, Name);
        var stored = new ArrayBufferWriter<byte>();
        foreach (var part in content.Chunk(size))
        {
            encryptor.Write(part, stored);
        }

        encryptor.End(stored);
        return stored.WrittenSpan.ToArray();
    }

    private static async Task<byte[]> DecryptAsync(byte[] stored, ObjectKey name, int size, Keyring? keys = null)
    {
        await using var stream = new DecryptingStream(new MemoryStream(stored), keys ?? Keys, name);
        using var content = new MemoryStream();
        var buffer = new byte[size];
        while (await stream.ReadAsync(buffer) is var count && count > 0)
        {
            content.Write(buffer, 0, count);
        }

        return content.ToArray();
    }

    /// <summary>How much of something that is not what was written comes out before it is refused; it must be refused, and what came out be the truth.</summary>
    private static async Task<int> ReleasedAsync(byte[] damaged)
    {
        await using var stream = new DecryptingStream(new MemoryStream(damaged), Keys, Name);
        var released = 0;
        var buffer = new byte[10_000];
        var refusal = await Should.ThrowAsync<Exception>(async () =>
        {
            while (await stream.ReadAsync(buffer) is var count && count > 0)
            {
                released += count;
            }
        });
        (refusal is InvalidDataException or NotRestorableException).ShouldBeTrue(refusal.ToString());

        // Who reads on gets nothing more.
        try
        {
            (await stream.ReadAsync(buffer)).ShouldBe(0);
        }
        catch (Exception again) when (again is InvalidDataException or NotRestorableException)
        {
        }

        return released;
    }

    private static byte[] Numbers(int from, int count) => [.. Enumerable.Range(from, count).Select(value => (byte)value)];

    private static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    /// <summary>The table in the repository's README: name and hexadecimal value, its spaces and line breaks left out.</summary>
    private static Dictionary<string, string> Vector()
    {
        var text = File.ReadAllText(Path.Combine(Checkout.Root, "src/NLDS.BackupAgent.Repository/README.md"), Encoding.UTF8);
        var table = text[text.IndexOf("### Test vector", StringComparison.Ordinal)..];
        return table.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal) && line.Contains('`')).Select(line => line.Split('|'))
            .GroupBy(cells => cells[1].Trim())
            .ToDictionary(row => row.Key, row => row.First()[2].Replace("`", "").Replace(" ", ""));
    }
}
