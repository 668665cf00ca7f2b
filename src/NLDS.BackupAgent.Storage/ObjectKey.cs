using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace NLDS.BackupAgent.Storage;

/// <summary>
/// The name of an object: one or more segments of <c>A-Z a-z 0-9 . _ - = +</c> joined by <c>/</c>, at most 900 characters.
/// The alphabet is the part that S3, file systems, URLs and shells all take without quoting; no segment is empty, <c>.</c> or <c>..</c>,
/// so a key can never leave the root that it is put under. Keys order by ordinal comparison, as every store lists them.
/// </summary>
public readonly record struct ObjectKey : IComparable<ObjectKey>
{
    /// <summary>S3 allows 1024 bytes; the rest is room for the store's own prefix.</summary>
    private const int MaximumLength = 900;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-=+/");

    private readonly string? value;

    /// <exception cref="ArgumentException">The text is not a key.</exception>
    public ObjectKey(string value)
    {
        if (!IsValid(value))
        {
            throw new ArgumentException($"'{value}' is not an object key.", nameof(value));
        }

        this.value = value;
    }

    public string Value => value ?? throw new InvalidOperationException("This key was never given a value.");

    /// <summary>The part after the last <c>/</c>.</summary>
    public string Name => Value[(Value.LastIndexOf('/') + 1)..];

    public static bool TryParse([NotNullWhen(true)] string? text, out ObjectKey key)
    {
        if (text is null || !IsValid(text))
        {
            key = default;
            return false;
        }

        key = new ObjectKey(text);
        return true;
    }

    public ObjectKey Append(string relative) => new($"{Value}/{relative}");

    public int CompareTo(ObjectKey other) => string.CompareOrdinal(Value, other.Value);

    public static bool operator <(ObjectKey left, ObjectKey right) => left.CompareTo(right) < 0;

    public static bool operator >(ObjectKey left, ObjectKey right) => left.CompareTo(right) > 0;

    public static bool operator <=(ObjectKey left, ObjectKey right) => left.CompareTo(right) <= 0;

    public static bool operator >=(ObjectKey left, ObjectKey right) => left.CompareTo(right) >= 0;

    public override string ToString() => value ?? "(no key)";

    private static bool IsValid(string text)
    {
        if (text.Length is 0 or > MaximumLength || text.AsSpan().ContainsAnyExcept(Allowed))
        {
            return false;
        }

        foreach (var segment in text.AsSpan().Split('/'))
        {
            if (text.AsSpan(segment) is "" or "." or "..")
            {
                return false;
            }
        }

        return true;
    }
}
