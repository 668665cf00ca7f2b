using FsCheck;
using FsCheck.Fluent;

namespace NLDS.BackupAgent.Storage.Tests;

public sealed class ObjectKeyTests
{
    private static readonly Gen<string> Segments = Gen.Elements(
        "a", "B", "0", ".", "..", "...", "", "a.b", "a b", "é", "_-=+", "\\", "\n", "\0", "base.tar.zst", ".incoming", "%2e%2e", "~");

    [Theory]
    [InlineData("repository.json")]
    [InlineData("postgres/full/20261123_020000/base.tar.zst.enc")]
    [InlineData("a/.../b")]
    [InlineData("A-Z_0+9=.")]
    public void These_are_keys(string text) => new ObjectKey(text).Value.ShouldBe(text);

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("a/./b")]
    [InlineData("a/..")]
    [InlineData("a b")]
    [InlineData("a\\b")]
    [InlineData("a\0")]
    [InlineData("ü")]
    public void These_are_none(string text)
    {
        ObjectKey.TryParse(text, out _).ShouldBeFalse();
        Should.Throw<ArgumentException>(() => new ObjectKey(text));
    }

    [Fact]
    public void A_key_has_at_most_900_characters()
    {
        ObjectKey.TryParse(new string('a', 900), out _).ShouldBeTrue();
        ObjectKey.TryParse(new string('a', 901), out _).ShouldBeFalse();
    }

    [Fact]
    public void No_key_leaves_its_root() => Prop.ForAll(
        Segments.NonEmptyListOf().Select(segments => string.Join('/', segments)).ToArbitrary(),
        text =>
        {
            if (!ObjectKey.TryParse(text, out var key))
            {
                return true;
            }

            var path = Path.GetFullPath(Path.Combine("/root/of/all", key.Value));
            return path == $"/root/of/all/{text}";
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Keys_order_as_their_bytes_do() => Prop.ForAll(
        Gen.Elements([.. "aZ09./-_=+"]).NonEmptyListOf().Select(letters => new string([.. letters])).Two().ToArbitrary(),
        pair => !ObjectKey.TryParse(pair.Item1, out var left) || !ObjectKey.TryParse(pair.Item2, out var right)
            || Math.Sign(left.CompareTo(right)) == Math.Sign(Bytes(left).AsSpan().SequenceCompareTo(Bytes(right)))).QuickCheckThrowOnFailure();

    [Fact]
    public void The_name_is_what_follows_the_last_slash()
    {
        new ObjectKey("a/b/c.json").Name.ShouldBe("c.json");
        new ObjectKey("c").Name.ShouldBe("c");
        new ObjectKey("a").Append("b/c").Value.ShouldBe("a/b/c");
    }

    private static byte[] Bytes(ObjectKey key) => System.Text.Encoding.ASCII.GetBytes(key.Value);
}
