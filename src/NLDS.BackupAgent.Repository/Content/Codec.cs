namespace NLDS.BackupAgent.Repository.Content;

/// <summary>How content is compressed. Each opens by hand with the tool of the same name.</summary>
public enum Codec
{
    /// <summary>Zstandard frames (RFC 8878); suffix <c>.zst</c>.</summary>
    Zstd,

    /// <summary>gzip members (RFC 1952); suffix <c>.gz</c>.</summary>
    Gzip,

    /// <summary>The content itself; no suffix.</summary>
    None,
}

internal static class Codecs
{
    public static string Suffix(this Codec codec) => codec switch
    {
        Codec.Zstd => ".zst",
        Codec.Gzip => ".gz",
        _ => "",
    };

    public static string Word(this Codec codec) => codec switch
    {
        Codec.Zstd => "zstd",
        Codec.Gzip => "gzip",
        _ => "none",
    };

    /// <summary>Behind the codec's suffix, for an encrypted object.</summary>
    public const string EncryptedSuffix = ".enc";

    /// <summary>Splits an object's name into what it names, how it is compressed, and whether it is encrypted after that.</summary>
    public static (string Name, Codec Codec, bool IsEncrypted) Split(string name)
    {
        var isEncrypted = name.EndsWith(EncryptedSuffix, StringComparison.Ordinal);
        var (bare, codec) = SplitCodec(isEncrypted ? name[..^EncryptedSuffix.Length] : name);
        return (bare, codec, isEncrypted);
    }

    private static (string Name, Codec Codec) SplitCodec(string name)
    {
        if (name.EndsWith(".zst", StringComparison.Ordinal))
        {
            return (name[..^4], Codec.Zstd);
        }

        return name.EndsWith(".gz", StringComparison.Ordinal) ? (name[..^3], Codec.Gzip) : (name, Codec.None);
    }

    public static bool TryParse(string? word, out Codec codec)
    {
        (var known, codec) = word switch
        {
            "zstd" => (true, Codec.Zstd),
            "gzip" => (true, Codec.Gzip),
            "none" => (true, Codec.None),
            _ => (false, default),
        };
        return known;
    }
}
